// What the Tachikoma scenarios share: where the server is, who asks, and what is promised of every request.
import { address, text } from './env.js';

/** The server. */
export const baseUrl = address('BASE_URL', 'http://localhost:3000');

/** The key that requests and WebSocket sessions authenticate with. */
export const apiKey = text('API_KEY', 'test-api-key');

/** Promises on all requests, whatever they are for. */
export const thresholds = {
  http_req_duration: ['p(95)<500'],
  http_req_failed: ['rate<0.01'],
  'http_req_duration{expected_response:true}': ['p(99)<1500'],
};

/** Tags of all samples. */
export const tags = { project: 'tachikoma' };
