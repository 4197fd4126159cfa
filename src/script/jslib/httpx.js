// A session: requests with a common address, headers, tags and parameters. https://jslib.k6.io/httpx
import http from 'k6/http';

/** One set of parameters over another; headers and tags are joined. */
function over(below, above) {
  const [a, b] = [below ?? {}, above ?? {}];
  return { ...a, ...b, headers: { ...a.headers, ...b.headers }, tags: { ...a.tags, ...b.tags } };
}

export class Request {
  constructor(method, url, params = {}) {
    const { body = null, ...others } = params ?? {};
    this.method = method;
    this.url = url;
    this.body = body;
    this.params = others;
  }
  addHeader(name, value) {
    this.params.headers = { ...this.params.headers, [name]: value };
    return this;
  }
  addTag(name, value) {
    this.params.tags = { ...this.params.tags, [name]: value };
    return this;
  }
}

const of = (method) =>
  class extends Request {
    constructor(url, params) {
      super(method, url, params);
    }
  };
export const Get = of('GET');
export const Post = of('POST');
export const Put = of('PUT');
export const Patch = of('PATCH');
export const Options = of('OPTIONS');
export const Delete = of('DELETE');

export class Httpx {
  constructor(settings = {}) {
    const { baseURL = '', errorMetric = null, errorMetricCondition, headers = {}, tags = {}, ...others } = settings;
    this.baseURL = baseURL;
    this.k6params = { ...others, headers, tags };
    this.errorMetric = errorMetric;
    this.errorMetricCondition = errorMetricCondition ?? ((answer) => answer.status >= 200 && answer.status <= 399);
    this.lastRequest = { responseObject: null, responseChainDuration: null };
  }

  get lastRequestChainDuration() {
    return this.lastRequest.responseChainDuration;
  }
  setBaseUrl(baseURL) {
    this.baseURL = baseURL;
  }
  addHeaders(headers) {
    Object.assign(this.k6params.headers, headers);
  }
  addHeader(name, value) {
    this.k6params.headers[name] = value;
  }
  clearHeader(name) {
    delete this.k6params.headers[name];
  }
  addTags(tags) {
    Object.assign(this.k6params.tags, tags);
  }
  addTag(name, value) {
    this.k6params.tags[name] = value;
  }
  clearTag(name) {
    delete this.k6params.tags[name];
  }

  // An address of its own is not put behind the session's.
  #address(url) {
    if (typeof url === 'object' && url !== null && 'name' in url) return { ...url, url: this.#address(url.url), name: this.#address(url.name) };
    return /^https?:\/\//.test(url) ? url : this.baseURL + url;
  }
  #note(answer, params, started) {
    this.lastRequest = { responseObject: answer, responseChainDuration: Date.now() - started };
    this.errorMetric?.add(!(params?.expect ?? this.errorMetricCondition)(answer));
    return answer;
  }

  execute(request) {
    return this.request(request.method, request.url, request.body, request.params);
  }
  request(method, url, body, params) {
    const [all, started] = [over(this.k6params, params), Date.now()];
    return this.#note(http.request(method, this.#address(url), body, all), all, started);
  }
  async asyncRequest(method, url, body, params) {
    const [all, started] = [over(this.k6params, params), Date.now()];
    return this.#note(await http.asyncRequest(method, this.#address(url), body, all), all, started);
  }
  batch(requests, common) {
    const started = Date.now();
    const all = requests.map((request) => {
      const [method, url, body, params] = Array.isArray(request) ? request : [request.method, request.url, request.body, request.params];
      return [method, this.#address(url), body ?? null, over(this.k6params, over(common, params))];
    });
    const answers = http.batch(all);
    this.lastRequest = { responseObject: answers, responseChainDuration: Date.now() - started };
    return answers;
  }
}

for (const method of ['get', 'head', 'post', 'put', 'patch', 'delete', 'options', 'trace']) {
  const upper = method.toUpperCase();
  const name = `async${upper[0]}${method.slice(1)}`;
  Httpx.prototype[method] = function (url, body, params) {
    return this.request(upper, url, body, params);
  };
  Httpx.prototype[name] = function (url, body, params) {
    return this.asyncRequest(upper, url, body, params);
  };
}

export default { Httpx, Request, Get, Post, Put, Patch, Options, Delete };
