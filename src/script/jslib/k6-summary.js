// The library k6-summary, by its documented interface: the data of handleSummary() as text and as JUnit's XML. The text has the
// library's own layout, which scripts print and others read: groups with their checks, then one line for each metric. It is
// not that of the end-of-test summary, which is newer.

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
const TIME_UNITS = { s: ['s', 1e-3], ms: ['ms', 1], us: ['µs', 1e3] };
const STATS = ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)'];
// Metrics that k6 does not have: only what somebody judges is shown.
const OWN = ['scheduling_lag', 'timer_lag', 'http_reqs_in_flight', 'iteration_duration_scheduled'];

/** At most so many decimals, without zeros at the end. */
function number(value, digits) {
  const text = String(Number(value.toFixed(digits)));
  return text === '-0' ? '0' : text;
}

/** The same, cut off instead of rounded. */
function cut(value, digits) {
  const scale = 10 ** digits;
  return number(Math.trunc(value * scale) / scale, digits);
}

function duration(ms, unit) {
  if (TIME_UNITS[unit]) {
    const [suffix, factor] = TIME_UNITS[unit];
    return `${(ms * factor).toFixed(2)}${suffix}`;
  }
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms === 0) return '0s';
  if (ms < 1e-3) return `${Math.trunc(ms * 1e6)}ns`;
  if (ms < 1) return `${cut(ms * 1e3, 2)}µs`;
  if (ms < 1e3) return `${cut(ms, 2)}ms`;
  const seconds = cut((ms % 60_000) / 1e3, ms > 60_000 ? 0 : 2);
  const minutes = Math.trunc(ms / 60_000);
  if (minutes < 1) return `${seconds}s`;
  if (minutes < 60) return `${minutes}m${seconds}s`;
  return `${Math.trunc(minutes / 60)}h${minutes % 60}m${seconds}s`;
}

function size(bytes) {
  if (bytes < 10) return `${bytes} B`;
  let power = Math.min(Math.floor(Math.log10(bytes) / 3), SIZES.length - 1);
  let value = Math.floor((bytes / 1e3 ** power) * 10 + 0.5) / 10;
  if (value >= 1e3 && power < SIZES.length - 1) {
    power += 1;
    value /= 1e3;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${SIZES[power]}`;
}

/** A share from 0 to 1, cut off: 99.999 % is not 100 %. */
function percent(share) {
  return `${(Math.trunc(share * 1e4) / 1e2).toFixed(2)}%`;
}

export function humanizeValue(value, metric, timeUnit) {
  if (metric.type === 'rate') return percent(value);
  if (metric.contains === 'data') return size(value);
  if (metric.contains === 'time') return duration(value, timeUnit);
  return number(value, 6);
}

const width = (text) => [...text.normalize('NFKC')].length;
const spaces = (text, wide) => ' '.repeat(Math.max(0, wide - width(text)));
const plain = (text) => text;

function palette(colors) {
  const paint = (code) => (colors ? (text) => `\u001b[${code}m${text}\u001b[0m` : plain);
  const [value, detail, faint, good, bad] = ['36', '36;2', '2', '32', '31'].map(paint);
  return { value, detail, faint, good, bad };
}

// How a dictionary sorts: signs, digits, letters whatever their case. k6 sorts by names so.
const SIGNS = ' _-,;:!?.\'"()[]{}@*/\\&#%`^+<=>|~$0123456789';
const rank = (character) => {
  const at = SIGNS.indexOf(character);
  return at >= 0 ? at : SIGNS.length + character.codePointAt(0);
};

function compare(a, b) {
  const [left, right] = [[...a.toLowerCase()], [...b.toLowerCase()]];
  for (let i = 0; i < left.length && i < right.length; i += 1) {
    if (left[i] !== right[i]) return rank(left[i]) - rank(right[i]);
  }
  if (left.length !== right.length) return left.length - right.length;
  // Where only the case differs, small letters come first.
  if (a === b) return 0;
  return a < b ? 1 : -1;
}

/** `metric{tags}` in its two parts. */
function split(name) {
  const at = name.indexOf('{');
  return at < 0 ? [name, ''] : [name.slice(0, at), name.slice(at)];
}

class Summary {
  constructor(data, options) {
    const all = { indent: ' ', enableColors: true, ...data.options, ...options };
    this.data = data;
    this.stats = all.summaryTrendStats ?? STATS;
    this.unit = all.summaryTimeUnit;
    this.indent = all.indent;
    this.paint = palette(all.enableColors);
  }

  text() {
    return [...this.group(this.data.root_group ?? {}, `${this.indent}    `), ...this.metrics()].join('\n');
  }

  /** The lines of a group, its checks and what is in it. */
  group({ name, checks, groups }, indent) {
    const lines = [];
    let inner = indent;
    if (name) {
      lines.push(`${indent}█ ${name}\n`);
      inner += '  ';
    }
    for (const check of Object.values(checks ?? [])) lines.push(this.check(check, inner));
    if (lines.length > (name ? 1 : 0)) lines.push('');
    for (const one of Object.values(groups ?? [])) lines.push(...this.group(one, inner));
    return lines;
  }

  check({ name, passes, fails }, indent) {
    if (fails === 0) return this.paint.good(`${indent}✓ ${name}`);
    const share = Math.floor((100 * passes) / (passes + fails));
    return this.paint.bad(`${indent}✗ ${name}\n${indent} ↳  ${share}% — ✓ ${passes} / ✗ ${fails}`);
  }

  metrics() {
    const judged = (metric) => Object.keys(metric.thresholds ?? {}).length > 0;
    const shown = Object.entries(this.data.metrics ?? {})
      .filter(([name, metric]) => metric.values && (judged(metric) || !OWN.includes(split(name)[0])))
      .map(([name, metric]) => this.line(name, metric));
    shown.sort((a, b) => compare(a.whole, b.whole) || compare(a.part, b.part));
    const widest = (cells) => cells.reduce((most, cell) => Math.max(most, width(cell ?? '')), 0);
    const column = (list, i) => widest(shown.map((line) => line[list]?.[i]));
    const widths = {
      name: widest(shown.map((line) => line.indent + line.name)),
      value: widest(shown.map((line) => line.value)),
      extras: [0, 1].map((i) => column('extras', i)),
      columns: this.stats.map((_, i) => column('columns', i)),
    };
    return shown.map((line) => this.render(line, widths));
  }

  /** A metric's line before it is aligned. */
  line(full, metric) {
    const { values } = metric;
    const show = (value) => humanizeValue(value, metric, this.unit);
    const [whole, part] = split(full);
    const [indent, name] = part === '' ? ['', whole] : ['  ', `{ ${part.slice(1, -1)} }`];
    const held = metric.thresholds && Object.values(metric.thresholds).every(({ ok }) => ok);
    const line = { whole, part, indent, name, held };
    switch (metric.type) {
      case 'counter':
        return { ...line, value: show(values.count), extras: [`${show(values.rate)}/s`] };
      case 'gauge':
        return { ...line, value: show(values.value), extras: [`min=${show(values.min)}`, `max=${show(values.max)}`] };
      case 'rate':
        return { ...line, value: show(values.rate), extras: [`✓ ${values.passes}`, `✗ ${values.fails}`] };
      case 'trend': {
        const cell = (stat) => (stat === 'count' ? String(values[stat]) : show(values[stat]));
        return { ...line, columns: this.stats.map((stat) => (values[stat] === undefined ? undefined : cell(stat))) };
      }
      default:
        return { ...line, value: '[no data]', extras: [] };
    }
  }

  render(line, widths) {
    const { paint } = this;
    const marks = new Map([[undefined, ' '], [true, paint.good('✓')], [false, paint.bad('✗')]]);
    const dots = '.'.repeat(widths.name - width(line.indent + line.name) + 3);
    const head = `${this.indent}  ${line.indent}${marks.get(line.held ?? undefined)} ${line.name}${paint.faint(`${dots}:`)}`;
    if (line.columns) {
      const cells = line.columns.map((cell, i) => (cell === undefined
        ? undefined
        : `${this.stats[i]}=${paint.value(cell)}${spaces(cell, widths.columns[i])}`));
      return [head, ...cells.filter((cell) => cell !== undefined)].join(' ');
    }
    // A single detail stands at the end of its line and needs no padding.
    const padded = line.extras.length > 1;
    const extras = line.extras.map((extra, i) => paint.detail(extra) + (padded ? spaces(extra, widths.extras[i]) : ''));
    return [head, paint.value(line.value) + spaces(line.value, widths.value), ...extras].join(' ');
  }
}

/** The text of the results. Options: indent, enableColors, summaryTrendStats, summaryTimeUnit. */
export function textSummary(data, options = {}) {
  return new Summary(data, options).text();
}

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text) => String(text).replace(/[&<>"']/g, (character) => ENTITIES[character]);

/** The thresholds as test cases of JUnit. Options: name, of the test suite; classname, of its cases. */
export function jUnit(data, options = {}) {
  let failures = 0;
  const cases = [];
  for (const [metric, { type, values, thresholds }] of Object.entries(data.metrics ?? {})) {
    for (const [expression, { ok }] of Object.entries(thresholds ?? {})) {
      const name = `${escape(metric)} - ${escape(expression)}`;
      const head = `<testcase name="${name}" classname="${escape(options.classname ?? 'Unnamed folder')}"`;
      if (ok) {
        cases.push(`${head} />`);
      } else {
        failures += 1;
        const numbers = Object.entries(values ?? {}).map(([key, value]) => `${key} value: ${value}`).join(', ');
        const message = escape(`${type} threshold failed: ${numbers}`);
        cases.push(`${head}><failure message="${message}" /></testcase>`);
      }
    }
  }
  const counts = `tests="${cases.length}" failures="${failures}"`;
  const name = escape(options.name ?? 'k6 thresholds');
  return `<?xml version="1.0"?>\n<testsuites ${counts}>\n<testsuite name="${name}" ${counts}>\n${
    cases.map((line) => `${line}\n`).join('')}</testsuite>\n</testsuites>\n`;
}

export default { humanizeValue, jUnit, textSummary };
