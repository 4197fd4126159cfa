// Chains of expectations, each of them a check; the first that fails ends its `describe`. https://jslib.k6.io/expect
import { check, group } from 'k6';
import { faults } from 'jslib:schema';

class Broken extends Error {
  brokenChain = true;
}

export class Expectation {
  #value;
  #name;

  constructor(value) {
    this.#value = value;
  }
  as(name) {
    this.#name = name;
    return this;
  }
  and(value) {
    this.#value = value;
    this.#name = undefined;
    return this;
  }
  /** What is expected of what. */
  get subject() {
    return { value: this.#value, name: this.#name };
  }
  #judge(holds, name) {
    if (!check(null, { [name]: () => holds })) throw new Broken(name);
    return this;
  }
  get #shown() {
    return this.#name ?? this.#value;
  }

  toEqual(expected) {
    const holds = this.#value === expected;
    const plain = this.#name === undefined ? `${this.#value} is ${expected}.` : `${this.#name} is ${this.#value}.`;
    return this.#judge(holds, holds || this.#name === undefined ? plain : `${plain} Expected '${expected}'`);
  }
  toBeGreaterThan(limit) {
    return this.#judge(this.#value > limit, `${this.#shown} is greater than ${limit}`);
  }
  toBeGreaterThanOrEqual(limit) {
    return this.#judge(this.#value >= limit, `${this.#shown} is greater or equal to ${limit}`);
  }
  toBeLessThan(limit) {
    return this.#judge(this.#value < limit, `${this.#shown} is less than ${limit}`);
  }
  toBeLessThanOrEqual(limit) {
    return this.#judge(this.#value <= limit, `${this.#shown} is less or equal to ${limit}`);
  }
  toBeBetween(low, high) {
    return this.#judge(this.#value >= low && this.#value <= high, `${this.#shown} is between ${low} - ${high}`);
  }
  toBeTruthy() {
    return this.#judge(Boolean(this.#value), `${this.#shown} is truthy.`);
  }
  toBeFalsy() {
    return this.#judge(!this.#value, `${this.#shown} is falsy.`);
  }
  toInclude(part) {
    return this.#judge(Boolean(this.#value?.includes?.(part)), `${this.#shown} includes ${part}.`);
  }
  toHaveValidJson() {
    let holds = true;
    try {
      holds = this.#value.json() !== undefined;
    } catch {
      holds = false;
    }
    return this.#judge(holds, `${this.#name ?? this.#value?.url} has valid json response`);
  }
  toMatchAPISchema(schema) {
    let wrong = [{ message: 'is no JSON' }];
    try {
      wrong = faults(schema, this.#value.json());
    } catch {
      // Said by what `wrong` is already.
    }
    const why = wrong.length === 0 ? '' : ` ${wrong.map((fault) => `${fault.dataPath ?? ''} ${fault.message}`).join(', ')}`;
    return this.#judge(wrong.length === 0, `${this.#name ?? this.#value?.url} schema is valid${why}`);
  }
}

export const expect = (value) => new Expectation(value);

/** `describe` for bodies that are given this `expect`. */
export const describing = (expect) => (name, body) => {
  let success = true;
  group(name, () => {
    try {
      body({ expect });
    } catch (error) {
      success = false;
      if (!error?.brokenChain) {
        console.error(`Exception raised in test "${name}". Failing the test and continuing. \n${error}`);
        check(null, { [`Exception raised "${error}"`]: () => false });
      }
    }
  });
  return success;
};
export const describe = describing(expect);

export default { describe, expect };
