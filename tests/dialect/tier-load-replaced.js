// args: -u 2 -i 4
// iterations: 4
// samples iterations{scenario:default}: 4
// samples iterations{scenario:other}: 0
// A later tier's load replaces all of an earlier one's.
export const options = {
  scenarios: {
    // loadgen-lint-ignore soak-without-pause -- it never runs
    other: { executor: 'constant-vus', vus: 50, duration: '10m', exec: 'never' },
    another: { executor: 'shared-iterations', vus: 1, iterations: 1000, exec: 'never' },
  },
};

export default function () {}

export function never() {
  throw new Error('the load was replaced');
}
