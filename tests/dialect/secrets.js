// args: --secret-source=mock=default,cool="a_cool_value" --secret-source=mock=name=other,key=of_other
// iterations: 1
// checks: 3
// says: it is ***SECRET_REDACTED***, not shown
import { check } from 'k6';
import secrets from 'k6/secrets';

export default async () => {
  const cool = await secrets.get('cool');
  console.log(`it is ${cool}, not shown`);
  const missing = await secrets.get('missing').catch((error) => error.message);
  check(cool, {
    default: (value) => value.length === 12,
    missing: () => missing.includes('no value for `missing`'),
  });
  check(await secrets.source('other').get('key'), { other: (value) => value === 'of_' + 'other' });
};
