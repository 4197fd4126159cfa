// args: --no-setup --no-teardown
// iterations: 1
export function setup() {
  throw new Error('nobody asked for it');
}

export default function () {}

export function teardown() {
  throw new Error('nobody asked for it');
}
