// The module k6/experimental/csv: records of a file, read once and shared by all virtual users.
import { SharedArray } from 'k6/data';
import { csvRows } from 'loadgen:native';

/** The records as the options want them: `{ delimiter, skipFirstLine, fromLine, toLine, asObjects }`. */
function records(path, options = {}) {
  const { delimiter = ',', skipFirstLine = false, fromLine = 0, toLine, asObjects = false } = options ?? {};
  if (typeof delimiter !== 'string' || delimiter.length !== 1) throw new TypeError("csv: the delimiter must be one character, such as ','");
  if (toLine !== undefined && toLine !== null && toLine < fromLine) throw new RangeError('csv: toLine must not be before fromLine');
  if (asObjects && skipFirstLine) throw new TypeError('csv: asObjects needs the first line for the names; leave skipFirstLine out');
  if (asObjects && fromLine > 0) throw new TypeError('csv: asObjects needs the first line for the names; leave fromLine out');
  const key = `csv ${path} ${JSON.stringify([delimiter, skipFirstLine, fromLine, toLine, asObjects])}`;
  return new SharedArray(key, () => {
    const rows = JSON.parse(csvRows(path, delimiter));
    const names = asObjects ? rows[0] : undefined;
    const first = Math.max(fromLine ?? 0, skipFirstLine || asObjects ? 1 : 0);
    const wanted = rows.slice(first, toLine === undefined || toLine === null ? undefined : toLine + 1);
    return names ? wanted.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]]))) : wanted;
  });
}

function pathOf(file, what) {
  if (typeof file?.path !== 'string') throw new TypeError(`${what} takes a file that open() of k6/experimental/fs has opened`);
  return file.path;
}

export async function parse(file, options) {
  return records(pathOf(file, 'csv.parse()'), options);
}

export class Parser {
  #rows;
  #at = 0;

  constructor(file, options) {
    this.#rows = records(pathOf(file, 'csv.Parser'), options);
  }
  async next() {
    const done = this.#at >= this.#rows.length;
    return { done, value: done ? [] : this.#rows[this.#at++] };
  }
}

export class StreamingParser extends Parser {
  constructor(path, options) {
    super({ path }, options);
  }
  close() {}
}

export default { parse, Parser, StreamingParser };
