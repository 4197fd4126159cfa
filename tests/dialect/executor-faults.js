// exit: 104
// says: "constant-users" is not an executor
// says: options.scenarios.strange.rate (script): is not a field of constant-vus
// says: is not a scenario name
// says: options.scenarios.short.duration
// says: options.scenarios.brief.maxDuration
// says: options.scenarios.missing
// says: options.scenarios.alone
export const options = {
  scenarios: {
    unknown: { executor: 'constant-users', vus: 1, duration: '1s' },
    strange: { executor: 'constant-vus', vus: 1, duration: '1s', rate: 5 },
    'with blanks': { executor: 'constant-vus', vus: 1, duration: '1s' },
    short: { executor: 'constant-vus', vus: 1, duration: '500ms' },
    brief: { executor: 'shared-iterations', vus: 1, iterations: 1, maxDuration: '10ms' },
    missing: { executor: 'constant-arrival-rate', rate: 5, duration: '1s' },
    alone: { executor: 'shared-iterations', vus: 5, iterations: 2 },
  },
};

export default function () {}
