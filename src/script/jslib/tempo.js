// A trace context in each request's headers: https://jslib.k6.io/http-instrumentation-tempo, k6/experimental/tracing
import http from 'k6/http';
import execution from 'k6/execution';

const hex = (count) => Array.from({ length: count }, () => Math.floor(Math.random() * 16).toString(16)).join('');

/** An id of 32 digits that tells k6's own traces apart: a prefix, a code, the time in nanoseconds, chance. */
function traceId() {
  const time = (BigInt(Date.now()) * 1000000n).toString(16).padStart(16, '0');
  return `dc0718${time.slice(-16)}`.padEnd(24, '0').slice(0, 24) + hex(8);
}

const PROPAGATORS = {
  w3c: (id, sampled) => ({ traceparent: `00-${id}-${hex(16)}-0${sampled ? 1 : 0}` }),
  jaeger: (id, sampled) => ({ 'uber-trace-id': `${id}:${hex(8)}:0:${sampled ? 1 : 0}` }),
};

const plain = { ...http };

/** The functions of k6/http, each around a call that `around(params, call, url)` of a class that extends this one may change. */
export class Instrumented {
  request(method, url, body, params) {
    return this.around(params, (all) => plain.request(method, url, body, all), url);
  }
  asyncRequest(method, url, body, params) {
    return this.around(params, (all) => plain.asyncRequest(method, url, body, all), url);
  }
  batch(requests) {
    const one = (request) => {
      if (typeof request === 'string' || request?.__templated) return this.around({}, (all) => ['GET', request, null, all], request);
      if (Array.isArray(request)) return this.around(request[3], (all) => [request[0], request[1], request[2], all], request[1]);
      return this.around(request.params, (params) => ({ ...request, params }), request.url);
    };
    const all = Array.isArray(requests) ? requests.map(one) : Object.fromEntries(Object.entries(requests).map(([name, request]) => [name, one(request)]));
    return plain.batch(all);
  }

  /** Puts this client in the place of k6/http's own functions. */
  install() {
    for (const name of ['get', 'head', 'post', 'put', 'patch', 'del', 'options', 'request', 'asyncRequest', 'batch']) {
      http[name] = (...given) => this[name](...given);
    }
  }
}

for (const name of ['get', 'head']) {
  Instrumented.prototype[name] = function (url, params) {
    return this.around(params, (all) => plain[name](url, all), url);
  };
}
for (const name of ['post', 'put', 'patch', 'del', 'options']) {
  Instrumented.prototype[name] = function (url, body, params) {
    return this.around(params, (all) => plain[name](url, body, all), url);
  };
}

export class Client extends Instrumented {
  #settings;

  constructor(settings = {}) {
    super();
    this.configure(settings);
  }
  configure(settings = {}) {
    const { propagator = 'w3c', sampling = 1, baggage = {} } = settings;
    if (!PROPAGATORS[propagator]) throw new Error(`unknown propagator \`${propagator}\`; there are w3c and jaeger`);
    if (!(sampling >= 0 && sampling <= 1)) throw new Error('sampling must be from 0 to 1');
    this.#settings = { propagator, sampling, baggage };
  }

  /** Calls with headers that carry an id, which is also noted with the samples while it lasts. */
  around(params, call) {
    const id = traceId();
    const sampled = Math.random() < this.#settings.sampling;
    const headers = { ...params?.headers, ...PROPAGATORS[this.#settings.propagator](id, sampled) };
    const baggage = Object.entries(this.#settings.baggage);
    if (baggage.length > 0) headers.baggage = baggage.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join(',');
    const metadata = execution.vu.metrics.metadata;
    if (metadata) metadata.trace_id = id;
    try {
      return call({ ...params, headers });
    } finally {
      if (metadata) delete metadata.trace_id;
    }
  }
}

/** Puts a client in the place of k6/http's own functions. */
export function instrumentHTTP(settings) {
  new Client(settings).install();
}

export default { Client, instrumentHTTP };
