// StateSet Sequencer ingest: batches of events, as fast as they are taken
//
// POST /api/v1/ves/events/ingest without a pause. `http_reqs` counts batches, `events_ingested` the events in them that
// were accepted. Sizes to compare: 10, 50, 100 and 500 events; users: 10 for 30 s (default), 50 for two minutes (profile
// load), 100 for five (stress).
//
//   loadgen run sequencer/ingest
//   loadgen run sequencer/ingest --env BATCH_SIZE=500 --vus 50 --duration 5m
//   loadgen run --demo sequencer/ingest --out json=results.json
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
import { selected } from '../lib/profiles.js';
import { ingest, profiles, targets } from '../lib/sequencer.js';

export { profiles };

export const options = {
  ...selected(profiles, 'default'),
  thresholds: targets('ingest'),
  summaryTrendStats: trendStats,
};

export default function () {
  ingest();
}
