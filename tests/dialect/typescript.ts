// iterations: 1
// http_reqs: 1
// checks: 5
import http, { type Response } from 'k6/http';
import { check } from 'k6';
import { Options } from 'k6/options';
import { greeting } from './lib/typed';
import type { Named } from './lib/typed.ts';

enum Level {
  Low,
  High = 5,
}

interface Shape<T> {
  readonly value: T;
  optional?: string;
}

export const options: Options = { vus: 1, iterations: 1 };

abstract class Base<T> implements Shape<T> {
  static #made = 0;
  constructor(public name: string, readonly value: T) {
    Base.#made += 1;
  }
  static get made(): number {
    return Base.#made;
  }
}

class Leaf extends Base<number> {
  declare extra: string;
}

export default function (): void {
  const answer = http.get(`${__ENV.BASE}/get`) as unknown as Response;
  const leaf = new Leaf('leaf', 3);
  const named = { name: 'n' } satisfies Named;
  check(answer, {
    'status is 200': (r: Response) => r.status === 200,
    'an enum': () => Level.High === 5 && Level[0] === 'Low',
    'a parameter property': () => leaf.name === 'leaf' && leaf.value! === 3,
    'a private static': () => Base.made === 1,
    'an import without extension': () => greeting(named.name) === 'hello n',
  });
}
