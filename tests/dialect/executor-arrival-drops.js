// iterations: 10
// sum dropped_iterations{scenario:alone}: 9
// sum dropped_iterations{scenario:grows}: 7..9
// value vus_max: 12..14
import { sleep } from 'k6';

// Nobody is free: what is due is dropped for good, and one more user starts, up to maxVUs.
export const options = {
  scenarios: {
    alone: { executor: 'constant-arrival-rate', rate: 10, duration: '1s', preAllocatedVUs: 1, gracefulStop: '0s' },
    grows: { executor: 'constant-arrival-rate', rate: 10, duration: '1s', preAllocatedVUs: 1, maxVUs: 3, gracefulStop: '0s' },
    quick: { executor: 'constant-arrival-rate', rate: 10, duration: '1s', preAllocatedVUs: 10, exec: 'quick' },
  },
};

export default function () {
  sleep(60);
}

export function quick() {}
