// What checks and thresholds of all systems need.

/** What the end-of-test summary shows of each trend. */
export const trendStats = ['avg', 'min', 'med', 'p(95)', 'p(99)', 'max'];

/** Whether a response says that all went well. */
export function ok(response) {
  return response.status >= 200 && response.status < 300;
}

/** The JSON of a response, or an empty object where it has none: in overload anything may come back. */
export function body(response) {
  try {
    return response.json() || {};
  } catch (_) {
    return {};
  }
}

/**
 * Thresholds on a part of the requests that pass if there are none: a load of one's own (`--vus`, `--iterations`) need
 * not reach every part. k6 does so by itself, and does not read `onEmpty`.
 */
export function unlessEmpty(...thresholds) {
  return thresholds.map((threshold) => ({ threshold, onEmpty: 'pass' }));
}

/** `unlessEmpty` thresholds on the latency of requests, from their tag `name` to what is promised of them. */
export function latencies(promises) {
  const thresholds = {};
  for (const [name, promised] of Object.entries(promises)) {
    thresholds[`http_req_duration{name:${name}}`] = unlessEmpty(...promised);
  }
  return thresholds;
}
