// iterations: 1
// http_reqs: 6
// checks: 5
import http from 'k6/http';
import { check, fail } from 'k6';

// A visitor reads a page, fills in its form, and follows a link.
export default function () {
  const page = http.get(`${__ENV.BASE}/html`);
  if (!check(page, { 'the page is there': (r) => r.html().find('title').text() === 'Room' })) {
    fail('no page');
  }
  const token = page.html().find('input[name=token]').attr('value');
  const answer = page.submitForm({ formSelector: 'form', fields: { user: 'ann', extra: 'x y' }, params: { tags: { name: 'login' } } });
  check(answer, {
    'the form is sent': (r) => r.json('form.user') === 'ann' && r.json('form.token') === token && r.json('form.extra') === 'x+y',
  });
  check(page.clickLink({ selector: '#more' }), { 'the link is followed': (r) => r.json('args.from') === 'link' });
  const moved = http.get(`${__ENV.BASE}/redirect/2`, { redirects: 1 });
  check(moved, { 'as far as is wanted': (r) => r.status === 302 && r.url.endsWith('/redirect/1') });
  // loadgen-lint-ignore expected-status-fails -- it is to count as failed
  check(http.get(`${__ENV.BASE}/status/503`), { 'an error is an answer': (r) => r.status === 503 && r.error_code === 1503 });
}
