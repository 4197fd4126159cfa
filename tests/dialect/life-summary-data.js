// iterations: 1
// checks: 1 and 1
// shows: all is there
import http from 'k6/http';
import { check, group } from 'k6';

export const options = { thresholds: { checks: ['rate<1'], http_reqs: ['count==1'] } };

export function setup() {
  return { made: 5 };
}

export default function () {
  http.get(`${__ENV.BASE}/get`);
  group('outer', () => group('inner', () => check(1, { holds: (n) => n === 1, 'holds not': (n) => n === 2 })));
}

export function handleSummary(data) {
  const [outer] = data.root_group.groups;
  const [inner] = outer.groups;
  const { metrics } = data;
  const wrong = Object.entries({
    root: data.root_group.name === '' && data.root_group.path === '' && data.root_group.id.length === 32,
    groups: outer.name === 'outer' && outer.path === '::outer' && inner.path === '::outer::inner',
    checks: inner.checks[0].name === 'holds' && inner.checks[0].passes === 1 && inner.checks[1].fails === 1 && inner.checks[1].path === '::outer::inner::holds not',
    trend: metrics.http_req_duration.type === 'trend' && metrics.http_req_duration.contains === 'time' && metrics.http_req_duration.values['p(95)'] > 0,
    counter: metrics.http_reqs.values.count === 1 && metrics.http_reqs.values.rate > 0,
    rate: metrics.checks.values.rate === 0.5 && metrics.checks.values.passes === 1 && metrics.checks.values.fails === 1,
    thresholds: metrics.checks.thresholds['rate<1'].ok === true && metrics.http_reqs.thresholds['count==1'].ok === true,
    bytes: metrics.data_sent.contains === 'data',
    state: data.state.testRunDurationMs > 0 && data.state.isStdOutTTY === false && typeof data.state.isStdErrTTY === 'boolean',
    options: data.options.summaryTrendStats.includes('p(90)') && 'noColor' in data.options && 'summaryTimeUnit' in data.options,
    setup: data.setup_data.made === 5,
  }).filter(([, holds]) => !holds);
  return { stdout: wrong.length === 0 ? 'all is there' : `wrong: ${wrong.map(([name]) => name).join()} ${JSON.stringify(data)}` };
}
