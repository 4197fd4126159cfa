// Text with separated values, by the interface of Papa Parse: https://jslib.k6.io/papaparse

const GUESSES = [',', '\t', '|', ';', '\x1e', '\x1f'];

/** Rows of fields. A quoted field may hold separators, ends of lines and, doubled, quotes. */
function rows(text, { delimiter, newline, quoteChar: quote, comments, preview }) {
  const [found, errors] = [[], []];
  let row = [];
  let at = 0;
  const mark = comments === true ? '#' : comments;
  while (at < text.length) {
    if (row.length === 0 && mark && text.startsWith(mark, at)) {
      const end = text.indexOf(newline, at);
      if (end < 0) break;
      at = end + newline.length;
      continue;
    }
    let field = '';
    if (text[at] === quote) {
      let end = at + 1;
      for (;;) {
        const next = text.indexOf(quote, end);
        if (next < 0) {
          errors.push({ type: 'Quotes', code: 'MissingQuotes', message: 'Quoted field unterminated', row: found.length, index: at });
          field += text.slice(end);
          at = text.length;
          break;
        }
        field += text.slice(end, next);
        if (text[next + 1] !== quote) {
          at = next + 1;
          break;
        }
        field += quote;
        end = next + 2;
      }
      while (at < text.length && !text.startsWith(delimiter, at) && !text.startsWith(newline, at)) at++;
    } else {
      const [stop, end] = [text.indexOf(delimiter, at), text.indexOf(newline, at)];
      const next = Math.min(stop < 0 ? text.length : stop, end < 0 ? text.length : end);
      field = text.slice(at, next);
      at = next;
    }
    row.push(field);
    if (text.startsWith(delimiter, at) && at < text.length) {
      at += delimiter.length;
      if (at < text.length) continue;
      row.push('');
    } else {
      at += newline.length;
      if (at === text.length && text.endsWith(newline)) {
        found.push(row, ['']);
        row = [];
        break;
      }
    }
    found.push(row);
    row = [];
    if (preview > 0 && found.length >= preview) return { found, errors, truncated: at < text.length };
  }
  if (row.length > 0) found.push(row);
  return { found, errors, truncated: false };
}

function typed(field) {
  if (field === 'true' || field === 'TRUE') return true;
  if (field === 'false' || field === 'FALSE') return false;
  if (/^\s*-?(\d+\.?|\.\d+|\d+\.\d+)([eE][-+]?\d+)?\s*$/.test(field)) return Number(field);
  return field === '' ? null : field;
}

export function parse(input, settings = {}) {
  const text = String(input).replace(/^\uFEFF/, '');
  const config = { quoteChar: '"', ...settings };
  config.newline ||= /\r\n/.test(text) ? '\r\n' : text.includes('\n') || !text.includes('\r') ? '\n' : '\r';
  if (typeof config.delimiter === 'function') config.delimiter = config.delimiter(text);
  if (!config.delimiter) {
    const first = text.split(config.newline, 1)[0];
    const count = (mark) => first.split(mark).length;
    config.delimiter = GUESSES.reduce((best, mark) => (count(mark) > count(best) ? mark : best));
  }
  const preview = config.preview > 0 ? config.preview + (config.header ? 1 : 0) : 0;
  const { found, errors, truncated } = rows(text, { ...config, preview });
  const blank = (row) => (config.skipEmptyLines === 'greedy' ? row.join('').trim() === '' : row.length === 1 && row[0] === '');
  let lines = config.skipEmptyLines ? found.filter((row) => !blank(row)) : found;
  const meta = { delimiter: config.delimiter, linebreak: config.newline, aborted: false, truncated, cursor: text.length };
  let fields;
  if (config.header && lines.length > 0) {
    fields = lines[0].map((name, i) => (config.transformHeader ? config.transformHeader(name, i) : name));
    lines = lines.slice(1);
    meta.fields = fields;
  }
  const wantsType = (name) => (typeof config.dynamicTyping === 'object' ? config.dynamicTyping[name] : typeof config.dynamicTyping === 'function' ? config.dynamicTyping(name) : config.dynamicTyping);
  const value = (field, name) => {
    const changed = config.transform ? config.transform(field, name) : field;
    return wantsType(name) ? typed(changed) : changed;
  };
  const data = lines.map((row, number) => {
    if (!fields) return row.map((field, i) => value(field, i));
    const record = {};
    row.forEach((field, i) => {
      if (i < fields.length) record[fields[i]] = value(field, fields[i]);
      else (record.__parsed_extra ??= []).push(value(field, i));
    });
    if (row.length !== fields.length) {
      const few = row.length < fields.length;
      errors.push({ type: 'FieldMismatch', code: few ? 'TooFewFields' : 'TooManyFields', message: `Too ${few ? 'few' : 'many'} fields: expected ${fields.length} fields but parsed ${row.length}`, row: number });
    }
    return record;
  });
  const result = { data, errors, meta };
  if (typeof config.step === 'function') data.forEach((row) => config.step({ data: row, errors: [], meta }, { abort() {} }));
  config.complete?.(result);
  return result;
}

export function unparse(input, settings = {}) {
  const { delimiter = ',', newline = '\r\n', quotes = false, quoteChar = '"', header = true } = settings;
  const given = typeof input === 'string' ? JSON.parse(input) : input;
  const data = Array.isArray(given) ? given : given.data;
  const objects = data.length > 0 && !Array.isArray(data[0]);
  const fields = settings.columns ?? given.fields ?? (objects ? Object.keys(data[0]) : undefined);
  const field = (value) => {
    if (value === null || value === undefined) return '';
    const text = value instanceof Date ? value.toISOString() : String(value);
    const risky = quotes === true || text.includes(delimiter) || text.includes(quoteChar) || /[\r\n]|^\s|\s$/.test(text);
    return risky ? quoteChar + text.replaceAll(quoteChar, quoteChar + quoteChar) + quoteChar : text;
  };
  const lines = data.map((row) => (Array.isArray(row) ? row : fields.map((name) => row[name])));
  if (fields && header) lines.unshift(fields);
  return lines.map((row) => row.map(field).join(delimiter)).join(newline);
}

export default { parse, unparse };
