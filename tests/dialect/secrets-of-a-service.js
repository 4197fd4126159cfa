// args: --secret-source=url=urlTemplate={BASE}/get?key={key},responsePath=args.key,headers.X-Own=yes
// iterations: 2
// checks: 6
// samples http_reqs: 0
// says: it is ***SECRET_REDACTED***, not shown
import { check } from 'k6';
import secrets from 'k6/secrets';

// Requests for secrets are no samples.
export const options = { iterations: 2 };

export default async () => {
  const pass = await secrets.get('pass-word');
  console.log(`it is ${pass}, not shown`);
  const wrong = await secrets.source('other').get('x').catch((error) => error.message);
  const again = await secrets.get('pass-word');
  check(pass, {
    told: (value) => value === ['pass', 'word'].join('-'),
    again: (value) => value === again,
    'another source': () => wrong.includes('no secret source is called `other`'),
  });
};
