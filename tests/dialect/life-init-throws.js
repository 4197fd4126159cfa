// exit: 107
// says: life-init-throws.js:5
// says: at the top
const f = () => {
  throw new Error('at the top');
};
f();

export default function () {}
