// iterations: 2
// http_reqs: 2
// says: options.tresholds has no effect: it is not an option; did you mean `thresholds`?
// says: options.vusMax has no effect: it is not an option
import http from 'k6/http';

// What is no option is told of, and the run goes on; upper and lower case are the same.
export const options = {
  // loadgen-lint-ignore option-misspelt -- on purpose
  tresholds: { http_reqs: ['count<0'] },
  // loadgen-lint-ignore option-misspelt -- on purpose
  vusMax: 3,
  insecureSkipTlsVerify: true,
  NoVuConnectionReuse: true,
  scenarios: {
    s: { executor: 'shared-iterations', VUS: 1, iterations: 2, maxduration: '1m' },
  },
};

export default function () {
  http.get(`${__ENV.BASE}/get`);
}
