// StateSet Sequencer mixed: 70 % ingest, 20 % queries, 10 % commitments and proofs
//
// An iteration is one request, without a pause; chance decides which. Queries are any of the four of sequencer/query, and
// the last tenth is half commitments, half proofs; a proof asks for the latest commitment first. Before the load one batch
// is written and committed, so that there is something to read.
//
//   loadgen run sequencer/mixed
//   loadgen run sequencer/mixed --profile stress --env BATCH_SIZE=50
//   loadgen run --demo sequencer/mixed --vus 5 --duration 10s
//
// Variable             Default                                Meaning
// PROFILE              default                                default, smoke, load, average, stress, soak, spike, endurance
// SEQUENCER_BASE_URL   http://localhost:8080                  address of the sequencer
// API_KEY              test-api-key                           the bearer token
// TENANT_ID            00000000-0000-0000-0000-000000000000   the tenant
// STORE_ID             00000000-0000-0000-0000-000000000000   the store
// BATCH_SIZE           100                                    events in a batch
// MIN_TPS              1000                                   requests per second that are promised (profile smoke: 0)
import { trendStats } from '../lib/checks.js';
import { oneOf, weighted } from '../lib/pick.js';
import { selected } from '../lib/profiles.js';
import {
  commit,
  commitments,
  events,
  head,
  history,
  ingest,
  prepare,
  profiles,
  proof,
  targets,
} from '../lib/sequencer.js';

export { profiles };

export const options = {
  ...selected(profiles, 'default'),
  thresholds: targets('ingest', 'events', 'head', 'entity', 'commitments', 'commit', 'latest', 'proof'),
  summaryTrendStats: trendStats,
};

const mix = [
  { weight: 70, act: ingest },
  { weight: 20, act: (known) => oneOf([events, head, history, commitments])(known) },
  { weight: 5, act: commit },
  { weight: 5, act: proof },
];

export function setup() {
  return { head: prepare() };
}

export default function (run) {
  weighted(mix).act(run.head);
}
