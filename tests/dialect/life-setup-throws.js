// exit: 107
// says: no token
export function setup() {
  throw new Error('no token');
}

export default function () {
  throw new Error('it must not be called');
}
