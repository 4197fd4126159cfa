// The library k6-summary, by its documented interface: the data of handleSummary() as text and as JUnit's XML. The text is
// laid out as loadgen's own summary is; see report/summary.rs and report/format.rs, which have the rules.

const HIDDEN = ['checks', 'group_duration', 'scheduling_lag', 'timer_lag', 'http_reqs_in_flight'];
const PHASES = ['blocked', 'connecting', 'tls_handshaking', 'sending', 'waiting', 'receiving'].map((p) => `http_req_${p}`);
const CATEGORIES = {
  HTTP: ['http_req_duration', 'http_req_failed', 'http_reqs', ...PHASES],
  EXECUTION: [
    'dropped_iterations', 'iteration_duration', 'iteration_duration_scheduled', 'iterations', 'vus', 'vus_max',
  ],
  NETWORK: ['data_received', 'data_sent'],
  WEBSOCKET: [
    'ws_connecting', 'ws_msgs_received', 'ws_msgs_sent', 'ws_ping', 'ws_session_duration', 'ws_sessions',
  ],
};
const ORDER = ['CUSTOM', ...Object.keys(CATEGORIES)];
const SIZES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
const TIME_UNITS = { s: ['s', 1e-3], ms: ['ms', 1], us: ['µs', 1e3] };

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
  if (bytes < 10) return `${number(bytes, 6)} B`;
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

function ratio(part, whole) {
  return whole === 0 ? 0 : part / whole;
}

export function humanizeValue(value, metric, timeUnit) {
  if (metric.type === 'rate') return percent(value);
  if (metric.contains === 'data') return size(value);
  if (metric.contains === 'time') return duration(value, timeUnit);
  return number(value, 6);
}

const width = (text) => [...text].length;
const pad = (text, wide) => text + ' '.repeat(Math.max(0, wide - width(text)));

function palette(colors) {
  const paint = (code) => (text) => (colors && text !== '' ? `\u001b[${code}m${text}\u001b[0m` : text);
  const [bold, value, detail, faint, good, bad] = ['1', '36', '2;36', '2', '32', '31'].map(paint);
  return { bold, value, detail, faint, good, bad, mark: (ok) => (ok ? good('✓') : bad('✗')) };
}

function category(metric) {
  if (HIDDEN.includes(metric)) return undefined;
  return Object.keys(CATEGORIES).find((name) => CATEGORIES[name].includes(metric)) ?? 'CUSTOM';
}

/** `metric{tags}` in its two parts. */
function split(name) {
  const at = name.indexOf('{');
  return at < 0 ? [name, ''] : [name.slice(0, at), name.slice(at)];
}

class Summary {
  constructor(data, options) {
    this.data = data;
    this.stats = options.summaryTrendStats ?? data.options?.summaryTrendStats ??
      ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)'];
    this.unit = options.summaryTimeUnit ?? data.options?.summaryTimeUnit;
    this.seconds = (data.state?.testRunDurationMs ?? 0) / 1e3;
    this.paint = palette(options.enableColors ?? !data.options?.noColor);
    this.names = Object.keys(data.metrics ?? {}).sort();
  }

  text() {
    return [this.thresholds(), this.results()].filter((section) => section !== '').join('\n\n');
  }

  title(text) {
    return `  █ ${this.paint.bold(text)} \n\n`;
  }

  thresholds() {
    const judged = this.names.filter((name) => Object.keys(this.data.metrics[name].thresholds ?? {}).length > 0);
    if (judged.length === 0) return '';
    judged.sort((a, b) => (split(a)[0] < split(b)[0] ? -1 : split(a)[0] > split(b)[0] ? 1 : a < b ? -1 : 1));
    let headed;
    const blocks = judged.map((name) => {
      const [whole, tags] = split(name);
      let text = tags === '' || headed !== whole ? `    ${whole}\n` : '';
      if (tags !== '') text += `${headed === whole ? '' : '\n'}      ${tags}\n`;
      headed = whole;
      const metric = this.data.metrics[name];
      for (const [expression, { ok }] of Object.entries(metric.thresholds)) {
        const value = this.judged(metric, expression);
        text += `${tags === '' ? '    ' : '      '}${this.paint.mark(ok)} '${expression}'${value}\n`;
      }
      return text;
    });
    return this.title('THRESHOLDS') + blocks.join('\n');
  }

  /** The number that a threshold judges, where the data have it. */
  judged(metric, expression) {
    const aggregation = /^\s*(p\([\d.]+\)|[a-z]+)/.exec(expression)?.[1];
    const value = metric.values?.[aggregation];
    if (value === undefined) return '';
    const perSecond = metric.type === 'counter' && aggregation === 'rate' ? '/s' : '';
    return ` ${this.paint.value(`${aggregation}=${humanizeValue(value, metric, this.unit)}${perSecond}`)}`;
  }

  results() {
    const checks = [];
    const collect = (group) => {
      for (const { name, passes, fails } of Object.values(group.checks ?? [])) {
        const known = checks.find((check) => check.name === name);
        if (known) {
          known.passes += passes;
          known.fails += fails;
        } else {
          checks.push({ name, passes, fails });
        }
      }
      Object.values(group.groups ?? []).forEach(collect);
    };
    collect(this.data.root_group ?? {});
    const blocks = checks.length > 0 ? [this.totals(checks), this.list(checks)] : [];
    const shown = this.names.filter((name) => {
      const phase = PHASES.includes(split(name)[0]);
      const metric = this.data.metrics[name];
      return metric.values && (!phase || Object.keys(metric.thresholds ?? {}).length > 0);
    });
    const lines = shown
      .map((name) => ({ category: category(split(name)[0]), ...this.line(name) }))
      .filter((line) => line.category !== undefined);
    const widths = this.widths(lines);
    for (const wanted of ORDER) {
      const block = lines.filter((line) => line.category === wanted);
      if (block.length > 0) {
        const heading = `    ${this.paint.bold(wanted)}\n`;
        blocks.push(heading + block.map((line) => `    ${this.render(line, widths)}\n`).join(''));
      }
    }
    return this.title('TOTAL RESULTS') + blocks.join('\n');
  }

  totals(checks) {
    const passes = checks.reduce((sum, check) => sum + check.passes, 0);
    const total = checks.reduce((sum, check) => sum + check.passes + check.fails, 0);
    const rate = this.seconds > 0 ? total / this.seconds : 0;
    const share = (part) => ({ value: percent(ratio(part, total)), extras: [`${part} out of ${total}`] });
    const lines = [
      { name: 'checks_total', value: String(total), extras: [`${number(rate, 6)}/s`] },
      { name: 'checks_succeeded', ...share(passes) },
      { name: 'checks_failed', ...share(total - passes) },
    ];
    const widths = this.widths(lines);
    return lines.map((line) => `    ${this.render(line, widths)}\n`).join('');
  }

  list(checks) {
    let text = '';
    for (const { name, passes, fails } of checks) {
      text += `    ${this.paint.mark(fails === 0)} ${name}\n`;
      if (fails > 0) {
        const share = Math.floor(ratio(passes, passes + fails) * 100);
        text += `      ↳  ${share}% — ${this.paint.good(`✓ ${passes}`)} / ${this.paint.bad(`✗ ${fails}`)}\n`;
      }
    }
    return text;
  }

  /** A metric's line before it is aligned. */
  line(full) {
    const metric = this.data.metrics[full];
    const { values } = metric;
    const show = (value) => humanizeValue(value, metric, this.unit);
    const [whole, tags] = split(full);
    const name = tags === '' ? whole : `  { ${tags.slice(1, -1)} }`;
    switch (metric.type) {
      case 'counter':
        return { name, value: show(values.count), extras: [`${show(values.rate)}/s`] };
      case 'gauge':
        return { name, value: show(values.value), extras: [`min=${show(values.min)}`, `max=${show(values.max)}`] };
      case 'rate':
        return { name, value: percent(values.rate), extras: [`${values.passes} out of ${values.passes + values.fails}`] };
      default: {
        const cell = (stat) => (stat === 'count' ? number(values[stat], 0) : show(values[stat]));
        const stats = this.stats.filter((stat) => values[stat] !== undefined);
        return { name, columns: stats.map((stat) => [stat, cell(stat)]) };
      }
    }
  }

  /** The widths that a block of lines shares. */
  widths(lines) {
    const all = { name: 0, value: 0, extras: [], columns: [] };
    const widen = (list, texts) => texts.forEach((text, i) => { list[i] = Math.max(list[i] ?? 0, width(text)); });
    for (const line of lines) {
      all.name = Math.max(all.name, width(line.name));
      if (line.columns) {
        widen(all.columns, line.columns.map(([, value]) => value));
      } else {
        all.value = Math.max(all.value, width(line.value));
        widen(all.extras, line.extras);
      }
    }
    return all;
  }

  render(line, widths) {
    const dots = '.'.repeat(widths.name + 3 - width(line.name));
    let text = `${line.name}${this.paint.faint(`${dots}:`)}`;
    const space = (cell, wide) => pad(cell, wide).slice(cell.length);
    if (line.columns) {
      line.columns.forEach(([label, value], i) => {
        text += ` ${label}=${this.paint.value(value)}${space(value, widths.columns[i])}`;
      });
      return text;
    }
    text += ` ${this.paint.value(line.value)}${space(line.value, widths.value)}`;
    // A single detail stands at the end of its line and needs no padding.
    const single = line.extras.length === 1;
    line.extras.forEach((extra, i) => {
      text += ` ${this.paint.detail(extra)}${single ? '' : space(extra, widths.extras[i])}`;
    });
    return text;
  }
}

/** The end-of-test summary. Options: indent, enableColors, summaryTrendStats, summaryTimeUnit. */
export function textSummary(data, options = {}) {
  const { indent = '' } = options;
  const text = new Summary(data, options).text();
  return text.split('\n').map((line) => (line === '' ? line : indent + line)).join('\n');
}

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };
const escape = (text) => String(text).replace(/[&<>"']/g, (character) => ENTITIES[character]);

/** The thresholds as test cases of JUnit. Options: name, of the test suite; classname, of its cases. */
export function jUnit(data, options = {}) {
  let failures = 0;
  const cases = [];
  for (const [metric, { thresholds }] of Object.entries(data.metrics ?? {})) {
    for (const [expression, { ok }] of Object.entries(thresholds ?? {})) {
      const classname = options.classname ? ` classname="${escape(options.classname)}"` : '';
      const head = `<testcase name="${escape(`${metric} - ${expression}`)}"${classname}`;
      if (!ok) failures += 1;
      cases.push(ok ? `${head} />` : `${head}><failure message="failed" /></testcase>`);
    }
  }
  const counts = `tests="${cases.length}" failures="${failures}"`;
  const name = escape(options.name ?? 'k6 thresholds');
  return `<?xml version="1.0"?>\n<testsuites ${counts}>\n<testsuite name="${name}" ${counts}>\n${
    cases.map((line) => `${line}\n`).join('')}</testsuite>\n</testsuites>\n`;
}

export default { humanizeValue, jUnit, textSummary };
