// iterations: 1
// checks: 11
// says: "[Circular]"
// says: Uint8Array(3) [ 1, 2, 3 ]
// says: <0a ff>, byteLength: 2
// says: {"big":7,"thrown":"[Thrown]","list":[1,"two",null]}
// says: Symbol(mark)
// says: [object Function]
// says: Assertion failed: one is not two
import { check } from 'k6';

// A message never ends an iteration, whatever it is to show.
export default function () {
  const circle = { name: 'a circle' };
  circle.self = circle;
  const trap = {
    big: 7n,
    get thrown() {
      throw new Error('not now');
    },
    list: [1, 'two', null],
  };
  const values = {
    'a circle': circle,
    'a getter that throws': trap,
    'a big integer': 12345678901234567890n,
    'a symbol': Symbol('mark'),
    'a function': () => 1,
    bytes: new Uint8Array([1, 2, 3]),
    'a buffer': new Uint8Array([10, 255]).buffer,
    'half a pair': 'a \ud83d b',
    'a toJSON that throws': { toJSON() { throw new Error('never'); } },
    'no prototype': Object.create(null),
    nothing: undefined,
  };
  for (const [name, value] of Object.entries(values)) {
    check(value, {
      [name]: (shown) => {
        return console.log(name, shown) === undefined;
      },
    });
  }
  console.assert(1 === 1, 'one is one');
  console.assert(1 === 2, 'one is not', 'two');
}
