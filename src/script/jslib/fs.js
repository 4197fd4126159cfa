// The module k6/experimental/fs: files that all virtual users share; each has its own place in them.
import { fileSize, fileSlice } from 'loadgen:native';

export const SeekMode = Object.freeze({ Start: 0, Current: 1, End: 2 });

class File {
  #size;
  #at = 0;

  constructor(path) {
    this.path = path;
    this.#size = fileSize(path);
  }
  async stat() {
    return { name: this.path.split('/').pop(), size: this.#size };
  }
  async read(buffer) {
    if (!(buffer instanceof Uint8Array)) throw new TypeError('read() takes a Uint8Array');
    if (buffer.length === 0) throw new TypeError('read() takes a Uint8Array that has room');
    if (this.#at >= this.#size) return null;
    const part = new Uint8Array(fileSlice(this.path, this.#at, this.#at + buffer.length));
    buffer.set(part);
    this.#at += part.length;
    return part.length;
  }
  async readAll() {
    const rest = fileSlice(this.path, this.#at, this.#size);
    this.#at = this.#size;
    return rest;
  }
  async seek(offset, mode) {
    const from = { [SeekMode.Start]: 0, [SeekMode.Current]: this.#at, [SeekMode.End]: this.#size }[mode];
    if (from === undefined) throw new TypeError('seek() takes a number and a SeekMode');
    const at = from + offset;
    if (!Number.isInteger(at) || at < 0 || at > this.#size) throw new RangeError(`seek() to ${at}: the file has ${this.#size} bytes`);
    this.#at = at;
    return at;
  }
}

export function openSync(path) {
  if (typeof path !== 'string' || path === '') throw new TypeError('open() takes the path of a file');
  return new File(path);
}
export async function open(path) {
  return openSync(path);
}

export default { open, openSync, SeekMode };
