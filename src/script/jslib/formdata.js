// A multipart body, part by part: https://jslib.k6.io/formdata

/** The bytes of a text as UTF-8, or of a buffer or a view. */
function bytes(data) {
  if (typeof data === 'string') return new TextEncoder().encode(data);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (Array.isArray(data)) return Uint8Array.from(data);
  return new TextEncoder().encode(String(data));
}

const escaped = (text) => String(text).replace(/"/g, '%22').replace(/\r\n|\n/g, '%0D%0A');

export class FormData {
  #parts = [];

  constructor() {
    const digits = Array.from({ length: 24 }, () => Math.floor(Math.random() * 10)).join('');
    this.boundary = `--------------------------${digits}`;
  }

  append(name, value, filename) {
    this.#parts.push([name, value, typeof filename === 'string' ? filename : filename?.filename]);
  }
  set(name, value, filename) {
    this.#parts = this.#parts.filter((part) => part[0] !== name);
    this.append(name, value, filename);
  }

  /** As an ArrayBuffer, with the lengths that its parts have. */
  body() {
    const chunks = [];
    for (const [name, value, filename] of this.#parts) {
      const file = value !== null && typeof value === 'object' && 'data' in value;
      const called = filename ?? (file ? value.filename : undefined);
      const kind = (file && value.content_type) || (called === undefined ? undefined : 'application/octet-stream');
      let head = `--${this.boundary}\r\nContent-Disposition: form-data; name="${escaped(name)}"`;
      if (called !== undefined) head += `; filename="${escaped(called)}"`;
      if (kind !== undefined) head += `\r\nContent-Type: ${kind}`;
      chunks.push(bytes(`${head}\r\n\r\n`), bytes(file ? value.data : value), bytes('\r\n'));
    }
    chunks.push(bytes(`--${this.boundary}--\r\n`));
    const all = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all.buffer;
  }
}

export default { FormData };
