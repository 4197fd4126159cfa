// iterations: 1
// http_reqs: 3
// exit: 0
// says: the summary has the parts that were named
import http from 'k6/http';

// An empty list judges nothing, but makes the part of the metric, for the summary.
export const options = {
  thresholds: {
    'http_reqs{name:two}': [],
    'http_req_duration{name:none}': [],
    'http_req_duration{name:two}': [],
  },
};

export default function () {
  http.get(`${__ENV.BASE}/get`);
  http.get(`${__ENV.BASE}/get`, { tags: { name: 'two' } });
  http.get(`${__ENV.BASE}/get`, { tags: { name: 'two' } });
}

export function handleSummary(data) {
  const part = data.metrics['http_reqs{name:two}'];
  const none = data.metrics['http_req_duration{name:none}'];
  const two = data.metrics['http_req_duration{name:two}'];
  if (part.values.count === 2 && none.values.max === 0 && two.values.avg > 0 && !part.thresholds) {
    console.warn('the summary has the parts that were named');
  }
  return {};
}
