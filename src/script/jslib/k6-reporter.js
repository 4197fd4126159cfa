// A page about a run, under the name that the reporter of benc-uk has for its own: htmlReport(data).

const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}th,td{padding:.3rem .6rem;border-bottom:1px solid #d0d7de;text-align:right}
th:first-child,td:first-child{text-align:left}.good{color:#1a7f37}.bad{color:#cf222e;font-weight:600}.boxes{display:flex;gap:1rem;flex-wrap:wrap}
.box{border:1px solid #d0d7de;border-radius:.5rem;padding:.8rem 1.2rem;min-width:9rem}.box b{display:block;font-size:1.6rem}
@media (prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}th,td,.box{border-color:#30363d}}`;

function shown(value, contains) {
  if (typeof value !== 'number') return '-';
  if (contains === 'time') return `${value.toFixed(2)}`;
  return Number.isInteger(value) ? String(value) : value.toFixed(4);
}

function table(head, rows) {
  if (rows.length === 0) return '<p>none</p>';
  const line = (cells, tag) => `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
  return `<table>${line(head, 'th')}${rows.map((row) => line(row, 'td')).join('\n')}</table>`;
}

const verdict = (ok) => (ok ? '<span class="good">held</span>' : '<span class="bad">failed</span>');

/** All checks of a group and of those in it: path, name, passes, fails. */
function checksOf(group) {
  const own = (group.checks ?? []).map((check) => [group.path || group.name, check.name, check.passes, check.fails]);
  return own.concat(...(group.groups ?? []).map(checksOf));
}

export function htmlReport(data, options = {}) {
  const title = escaped(options.title ?? new Date().toISOString().slice(0, 16).replace('T', ' '));
  const metrics = Object.entries(data.metrics).sort(([a], [b]) => (a < b ? -1 : 1));
  const judged = metrics.flatMap(([name, metric]) => Object.entries(metric.thresholds ?? {}).map(([source, { ok }]) => [escaped(name), escaped(source), verdict(ok)]));
  const checks = checksOf(data.root_group ?? {});
  const failedChecks = checks.reduce((count, check) => count + check[3], 0);
  const failedThresholds = judged.filter((row) => row[2] !== verdict(true)).length;
  const value = (name, key) => data.metrics[name]?.values?.[key];
  const box = (what, number, bad) => `<div class="box">${what}<b class="${bad ? 'bad' : ''}">${number ?? 0}</b></div>`;
  const trends = metrics.filter(([, metric]) => metric.type === 'trend');
  const columns = Object.keys(trends[0]?.[1].values ?? {});
  const others = metrics.filter(([, metric]) => metric.type !== 'trend');
  return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Load test: ${title}</title><style>${STYLE}</style></head><body>
<h1>Load test: ${title}</h1>
<div class="boxes">${box('Requests', value('http_reqs', 'count'))}${box('Failed requests', value('http_req_failed', 'passes'), value('http_req_failed', 'passes') > 0)}
${box('Thresholds failed', failedThresholds, failedThresholds > 0)}${box('Checks failed', failedChecks, failedChecks > 0)}</div>
<h2>Times and other trends</h2>
${table(['metric', ...columns.map(escaped)], trends.map(([name, metric]) => [escaped(name), ...columns.map((column) => shown(metric.values[column], metric.contains))]))}
<h2>Counters, rates and gauges</h2>
${table(['metric', 'type', 'values'], others.map(([name, metric]) => [escaped(name), metric.type, Object.entries(metric.values).map(([key, number]) => `${escaped(key)} ${shown(number)}`).join(', ')]))}
<h2>Thresholds</h2>
${table(['metric', 'threshold', 'verdict'], judged)}
<h2>Checks</h2>
${table(['group', 'check', 'passes', 'fails'], checks.map(([group, name, passes, fails]) => [escaped(group ?? ''), escaped(name), passes, fails > 0 ? `<span class="bad">${fails}</span>` : 0]))}
</body></html>`;
}

export default { htmlReport };
