// http_reqs: 1
// checks: 10
import http from 'k6/http';
import { check } from 'k6';
import { URL, URLSearchParams } from 'https://jslib.k6.io/url/1.0.0/index.js';

export default function () {
  const url = new URL(`${__ENV.BASE}/get?x=1`);
  url.searchParams.append('utm', 'a b');
  url.searchParams.append('ä', '&');
  const answer = http.get(url.toString());
  const parsed = new URL('../up?q#frag', 'https://user:pw@Example.com:8443/a/b/c');
  const changed = new URL('http://h/p?a=1&a=2&b=3');
  changed.searchParams.set('a', '9');
  changed.searchParams.delete('b');
  changed.pathname = '/q r';
  changed.port = '81';
  const params = new URLSearchParams([['b', '2'], ['a', '1']]);
  params.sort();
  check(answer, {
    sent: (r) => r.json('args.utm') === 'a+b',
    href: () => url.href.endsWith('/get?x=1&utm=a+b&%C3%A4=%26'),
    relative: () => parsed.href === 'https://user:pw@example.com:8443/a/up?q#frag',
    parts: () => [parsed.origin, parsed.host, parsed.port, parsed.hash, parsed.search].join(' ') === 'https://example.com:8443 example.com:8443 8443 #frag ?q',
    changed: () => changed.href === 'http://h:81/q%20r?a=9',
    sorted: () => params.toString() === 'a=1&b=2',
    'of an object': () => new URLSearchParams({ k: 'v w' }).toString() === 'k=v+w',
    iterated: () => [...params.keys()].join() === 'a,b' && params.get('c') === null && params.has('a'),
    'no URL': () => {
      try {
        return !new URL('no url');
      } catch (error) {
        return error instanceof TypeError && !URL.canParse('no url');
      }
    },
    'to JSON': () => JSON.stringify({ changed }) === '{"changed":"http://h:81/q%20r?a=9"}',
  });
}
