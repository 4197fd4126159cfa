// What the Prim scenarios share: where the services are, what counts as a good answer, and the pause between iterations.
import http from 'k6/http';
import { check, sleep } from 'k6';
import { address, flag, number, text } from './env.js';

/** The services under test. Spawn takes part only if it is given an address. */
export const services = [
  { name: 'wallet', url: address('WALLET_URL', 'http://localhost:3001') },
  { name: 'store', url: address('STORE_URL', 'http://localhost:3002') },
];
if (text('SPAWN_URL')) {
  services.push({ name: 'spawn', url: address('SPAWN_URL') });
}

/** The address of the store. */
export const store = address('STORE_URL', 'http://localhost:3002');

// Outside of a tunnel the payment layer answers 402. That is the right answer of a healthy service, so on request it
// does not count as a failed one.
const paymentExpected = flag('ACCEPT_402');
if (paymentExpected) {
  http.setResponseCallback(http.expectedStatuses({ min: 200, max: 399 }, 402));
}

/** Whether the payment layer answered, where that is expected: there is nothing further to check then. */
export function turnedAway(response) {
  return paymentExpected && response.status === 402;
}

/** `GET /` of one service; each in turn, so that all of them get the same load at every moment. */
export function healthCheck() {
  const service = services[(__VU + __ITER) % services.length];
  const tags = { service: service.name, name: 'GET /' };
  const response = http.get(`${service.url}/`, { tags });
  check(response, { 'status is 200': (r) => r.status === 200 || turnedAway(r) }, tags);
}

const thinkTime = number('THINK_TIME', 0);

/** The pause of a user between two iterations. */
export function think() {
  if (thinkTime > 0) {
    sleep(thinkTime);
  }
}
