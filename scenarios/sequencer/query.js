// StateSet Sequencer query: events, head, an entity's history, commitments
//
// An iteration asks each of the four endpoints once, without a pause. Before the load one batch is written and committed,
// so that there is something to read; `--no-setup` leaves that out, for a store that has its own.
//
//   loadgen run sequencer/query
//   loadgen run sequencer/query --profile load --env TENANT_ID=your-tenant --env STORE_ID=your-store
//   loadgen run --demo sequencer/query --vus 5 --duration 10s
//
// Variable             Default                                Meaning
// PROFILE              default                                default, smoke, load, average, stress, soak, spike, endurance
// SEQUENCER_BASE_URL   http://localhost:8080                  address of the sequencer
// API_KEY              test-api-key                           the bearer token
// TENANT_ID            00000000-0000-0000-0000-000000000000   the tenant
// STORE_ID             00000000-0000-0000-0000-000000000000   the store
// BATCH_SIZE           100                                    events that are written before the load
// MIN_TPS              1000                                   requests per second that are promised (profile smoke: 0)
import { trendStats } from '../lib/checks.js';
import { selected } from '../lib/profiles.js';
import { commitments, events, head, history, prepare, profiles, targets } from '../lib/sequencer.js';

export { profiles };

export const options = {
  ...selected(profiles, 'default'),
  thresholds: targets('events', 'head', 'entity', 'commitments'),
  summaryTrendStats: trendStats,
};

export function setup() {
  return { head: prepare() };
}

export default function (run) {
  events(run ? run.head : 1);
  head();
  history();
  commitments();
}
