// args: --max-redirects=1 --user-agent=agent/1 --insecure-skip-tls-verify --blacklist-ip=10.0.0.0/8 --block-hostnames=*.blocked.test --dns=ttl=0,select=first,policy=onlyIPv4 --batch=2 --batch-per-host=1 --no-connection-reuse --no-vu-connection-reuse --local-ips=127.0.0.1
// checks: 7
// says: request failed
import http from 'k6/http';
import { check } from 'k6';

export default function () {
  const number = () => http.get(`${__ENV.BASE}/connection`).json('connection');
  check(null, {
    '--max-redirects': () => http.get(`${__ENV.BASE}/redirect/4`).url.endsWith('/redirect/3'),
    '--user-agent': () => http.get(`${__ENV.BASE}/get`).json('headers.User-Agent') === 'agent/1',
    '--insecure-skip-tls-verify': () => http.get(`${__ENV.TLS}/get`).status === 200,
    '--blacklist-ip': () => http.get('http://10.0.0.1/').error_code === 1110,
    '--block-hostnames': () => http.get('http://a.blocked.test/').error_code === 1111,
    '--batch-per-host': () => http.batch([1, 2, 3].map((i) => `${__ENV.BASE}/together/31?i=${i}`)).every((r) => r.json('most') === 1),
    '--no-connection-reuse': () => number() !== number(),
  });
}
