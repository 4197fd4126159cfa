// iterations: 1
import { htmlReport } from 'https://raw.githubusercontent.com/benc-uk/k6-reporter/main/dist/bundle.js';
import { textSummary, jUnit } from 'https://jslib.k6.io/k6-summary/0.1.0/index.js';
import { check, group } from 'k6';

export default function () {
  group('a group', () => check(1, { 'is <one>': (x) => x === 1 }));
}

export function handleSummary(data) {
  const page = htmlReport(data, { title: 'T & U' });
  for (const part of ['T &amp; U', 'is &lt;one&gt;', 'iteration_duration', '::a group']) {
    if (!page.includes(part)) throw new Error(`${part} is not in the page`);
  }
  return { stdout: textSummary(data), 'page.html': page, 'junit.xml': jUnit(data) };
}
