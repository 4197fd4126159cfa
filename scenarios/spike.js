// Spike: from 1 VU to 200 at once for 30 s, then back to 1
//
// Does the system degrade or collapse, and how long until it is itself again? The three phases are three scenarios, not
// the stages of one: a scenario's tag marks each request with the phase that *started* it, also one that the overload
// holds back until after the spike, so the percentiles of the phases do not mix. 10 s at 1 VU show what is normal, and
// 30 s at 1 VU after the spike show the way back: recovery time is the time from the end of the spike (40 s after the
// start) until p95 and error rate are within 10 % of those of phase `before`. There is no pause between requests, so
// that one VU alone makes enough of them for a p95 every second.
//
// All VUs exist before the test starts: the 200 do start at once. Requests of the spike that are under way at its end
// may finish within 10 s; ending them there would hide the slowest ones. A load of your own (`--vus`, `--duration`,
// `--stage`) or another profile replaces all three phases, and what they promise is not judged.
//
//   loadgen run spike
//   loadgen run spike --demo --demo-capacity 2000
//   loadgen run spike --profile smoke
//
// Variable     Default                 Meaning
// PROFILE      spike                   the load: spike (as above), smoke, load, average, stress, soak, endurance
// WALLET_URL   http://localhost:3001   address of wallet
// STORE_URL    http://localhost:3002   address of store
// SPAWN_URL    (not set)               address of spawn; without it spawn is left out
// ACCEPT_402   false                   true: 402 from the payment layer is an expected answer
// THINK_TIME   0                       seconds that a VU pauses after each request
import { trendStats, unlessEmpty } from './lib/checks.js';
import { healthCheck, think } from './lib/prim.js';
import { profiles as shared, selected } from './lib/profiles.js';

export const profiles = {
  ...shared,
  spike: {
    scenarios: {
      before: {
        executor: 'constant-vus',
        vus: 1,
        duration: '10s',
        gracefulStop: '10s',
        tags: { phase: 'before' },
      },
      spike: {
        executor: 'constant-vus',
        vus: 200,
        startTime: '10s',
        duration: '30s',
        gracefulStop: '10s',
        tags: { phase: 'spike' },
      },
      after: {
        executor: 'constant-vus',
        vus: 1,
        startTime: '40s',
        duration: '30s',
        gracefulStop: '10s',
        tags: { phase: 'after' },
      },
    },
  },
};

export const options = {
  ...selected(profiles, 'spike'),
  thresholds: {
    'http_req_duration{phase:before}': unlessEmpty('p(95)<200'),
    'http_req_failed{phase:before}': unlessEmpty('rate<0.001'),
    'http_req_duration{phase:spike}': unlessEmpty('p(99)<2000'),
    'http_req_failed{phase:spike}': unlessEmpty('rate<0.05'),
    'http_req_duration{phase:after}': unlessEmpty('p(95)<200'),
    'http_req_failed{phase:after}': unlessEmpty('rate<0.01'),
  },
  summaryTrendStats: trendStats,
};

export default function () {
  healthCheck();
  think();
}
