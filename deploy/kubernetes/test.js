// The test of all generators together: each of them runs its part of it. Put your own in its place.
import http from 'k6/http';
import { check } from 'k6';

export const options = {
  scenarios: {
    load: {
      executor: 'ramping-arrival-rate',
      startRate: 100,
      stages: [
        { target: 2000, duration: '2m' },
        { target: 2000, duration: '10m' },
      ],
      preAllocatedVUs: 1000,
      maxVUs: 5000,
    },
  },
  thresholds: {
    http_req_duration: ['p(95)<500'],
    http_req_failed: ['rate<0.01'],
  },
};

export default function () {
  const answer = http.get(`${__ENV.BASE_URL}/`);
  check(answer, { 'status is 200': (r) => r.status === 200 });
}
