// iterations: 3
// checks: 27
import { check } from 'k6';
import { open as openFile, openSync, SeekMode } from 'k6/experimental/fs';
import csv from 'k6/experimental/csv';
import { scenario } from 'k6/execution';

export const options = { scenarios: { default: { executor: 'shared-iterations', vus: 1, iterations: 3 } } };

const file = await openFile('lib/people.csv');
let late;
(async () => {
  late = await openFile('lib/people.csv');
})();
const rows = await csv.parse(file, { delimiter: ',', skipFirstLine: true });
const some = await csv.parse(file, { fromLine: 2, toLine: 2 });
const parser = new csv.Parser(file, { asObjects: true });
const streaming = new csv.StreamingParser('lib/people.csv', { skipFirstLine: true });
const sync = openSync('lib/people.csv');

export default async function () {
  const { name, size } = await late.stat();
  const chunk = new Uint8Array(7);
  let text = '';
  await late.seek(0, SeekMode.Start);
  for (let n = await late.read(chunk); n !== null; n = await late.read(chunk)) text += String.fromCharCode(...chunk.subarray(0, n));
  await sync.seek(-3, SeekMode.End);
  const { done, value } = await parser.next();
  const record = (await streaming.next()).value;
  let message = '';
  await late.seek(size + 1, SeekMode.Start).catch((error) => (message = error.message));
  const i = scenario.iterationInTest;
  check(null, {
    'name and size': () => name === 'people.csv' && size === 85,
    'all of it': () => text.length === size && text.startsWith('firstname,'),
    'the end': () => sync.readAll() instanceof Promise,
    rows: () => rows.length === 3 && rows[1][1] === 'gil, l',
    'some rows': () => some.length === 1 && some[0][0] === 'qudratullah',
    'as objects': () => !done && value.firstname === rows[i][0] && value.age === rows[i][2],
    streamed: () => record[0] === rows[i][0],
    'past the end': () => message.includes('has 85 bytes'),
    'no file while it runs': () => {
      try {
        return !openSync('lib/data.json');
      } catch (error) {
        return error.message.includes('init context');
      }
    },
  });
}
