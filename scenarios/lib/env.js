// Settings from the environment (`--env NAME=value`), each with its default.

/** The text of a variable. */
export function text(name, fallback) {
  return __ENV[name] || fallback;
}

/** The address in a variable, without the slash that a path brings itself. */
export function address(name, fallback) {
  return text(name, fallback).replace(/\/+$/, '');
}

/** The number in a variable. A word that is no number ends the test before it starts. */
export function number(name, fallback) {
  const value = __ENV[name] ? Number(__ENV[name]) : fallback;
  if (Number.isNaN(value)) {
    throw new Error(`${name} is not a number: ${__ENV[name]}`);
  }
  return value;
}

/** Whether a variable is set to `true`. */
export function flag(name) {
  return __ENV[name] === 'true';
}
