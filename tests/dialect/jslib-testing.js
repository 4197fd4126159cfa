// exit: 108
// http_reqs: 1
// says: expect(received).toBe(201)
import { expect } from 'https://jslib.k6.io/k6-testing/0.6.1/index.js';
import http from 'k6/http';

export default function () {
  const answer = http.get(`${__ENV.BASE}/get`);
  expect(answer.status).toBe(200);
  expect(answer.json()).toHaveProperty('headers.Host');
  expect([1, 2]).toContain(1);
  expect([{ a: 1 }]).toContainEqual({ a: 1 });
  expect({ a: 1, b: undefined }).toEqual({ a: 1 });
  expect(0.1 + 0.2).toBeCloseTo(0.3);
  expect('x').not.toBeNull();
  expect([1]).toHaveLength(1);
  expect(answer.status, 'the status').toBe(201);
}
