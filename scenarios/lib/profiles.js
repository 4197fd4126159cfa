// Load profiles: how many users come, and for how long. Every scenario has these, or some of its own under their names.
//
//   loadgen run tachikoma/health --profile stress
//   k6 run -e PROFILE=stress tachikoma/health.js
import { text } from './env.js';

export const profiles = {
  // Does it work at all?
  smoke: { vus: 1, duration: '30s' },

  // A usual day.
  load: {
    stages: [
      { duration: '2m', target: 10 },
      { duration: '5m', target: 10 },
      { duration: '2m', target: 0 },
    ],
  },

  // A hundred users, for two minutes.
  average: {
    stages: [
      { duration: '30s', target: 100 },
      { duration: '1m', target: 100 },
      { duration: '30s', target: 0 },
    ],
  },

  // Up and up: where does it hurt?
  stress: {
    stages: [
      { duration: '2m', target: 10 },
      { duration: '5m', target: 50 },
      { duration: '2m', target: 100 },
      { duration: '5m', target: 100 },
      { duration: '5m', target: 0 },
    ],
  },

  // An hour of a usual day: leaks, full disks, what grows.
  soak: {
    stages: [
      { duration: '5m', target: 10 },
      { duration: '60m', target: 10 },
      { duration: '5m', target: 0 },
    ],
  },

  // Everyone at once, and the time after it.
  spike: {
    stages: [
      { duration: '1m', target: 5 },
      { duration: '10s', target: 100 },
      { duration: '3m', target: 100 },
      { duration: '10s', target: 5 },
      { duration: '3m', target: 5 },
      { duration: '1m', target: 0 },
    ],
  },

  // Many users for longer than a cache or a pool can hide it.
  endurance: {
    stages: [
      { duration: '1m', target: 50 },
      { duration: '10m', target: 50 },
      { duration: '1m', target: 0 },
    ],
  },
};

/** The name in PROFILE, or else `fallback`. A name that is not in `known` ends the test before it starts. */
export function profileName(known, fallback) {
  const name = text('PROFILE', fallback);
  if (!Object.keys(known).includes(name)) {
    throw new Error(`PROFILE is ${name}; the profiles are: ${Object.keys(known).join(', ')}`);
  }
  return name;
}

/** The load of that profile, to spread into `options`. */
export function selected(known, fallback) {
  return known[profileName(known, fallback)];
}
