// iterations: 2
// checks: 14
import { SharedArray } from 'k6/data';
import { check } from 'k6';
import { thrown } from './lib/thrown.js';

let made = 0;
const list = new SharedArray('list', () => {
  made += 1;
  return [{ name: 'a', deep: { n: 1 } }, { name: 'b' }, 3, 'text', null];
});
const wrong = [thrown(() => new SharedArray('', () => [])), thrown(() => new SharedArray('x', () => ({}))), thrown(() => new SharedArray('y'))];

export const options = { scenarios: { each: { executor: 'per-vu-iterations', vus: 2 } } };

export default function () {
  check(list, {
    'as an array': (l) => l.length === 5 && l[1].name === 'b' && l[2] === 3 && l[9] === undefined,
    'its values': (l) => [...l].length === 5 && l.map((item) => item?.name ?? item).join() === 'a,b,3,text,',
    'its methods': (l) => l.find((item) => item.name === 'b').name === 'b' && l.indexOf('text') === 3 && l.slice(2, 4).length === 2,
    'nobody writes': (l) => thrown(() => l.push(1)) !== 'nothing' || l.length === 5,
    'nor in what is in it': (l) => thrown(() => { 'use strict'; l[0].name = 'z'; }) !== 'nothing' && l[0].name === 'a' && l[0].deep.n === 1,
    'made once at most': () => made <= 1,
    'what is none': () => wrong.every((message) => message !== 'nothing'),
  });
}
