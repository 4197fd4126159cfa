// What a profile of the server is to be told of each request, as baggage: https://jslib.k6.io/http-instrumentation-pyroscope
import execution from 'k6/execution';
import { Instrumented } from 'jslib:http-instrumentation-tempo';

/** The scenario, the run, and the name of the request. */
function baggage(url, _, params) {
  const address = typeof url === 'object' ? url.url : url;
  const said = {
    'k6.test_run_id': __ENV.K6_CLOUDRUN_TEST_RUN_ID,
    'k6.scenario': execution.scenario.name,
    'k6.name': params?.tags?.name || address,
  };
  return { baggage: Object.entries(said).map(([name, value]) => `${name}=${value}`).join(', ') };
}

export class Client extends Instrumented {
  #headers;

  constructor(generateHeaders) {
    super();
    this.#headers = generateHeaders ?? baggage;
  }
  around(params, call, url) {
    return call({ ...params, headers: { ...params?.headers, ...this.#headers(url, null, params) } });
  }
}

/** Puts a client in the place of k6/http's own functions. */
export function instrumentHTTP(generateHeaders) {
  new Client(generateHeaders).install();
}

export default { Client, instrumentHTTP };
