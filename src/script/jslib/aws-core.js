// What the clients of https://jslib.k6.io/aws have in common: where a service is, signatures (AWS Signature Version 4), and errors.
import { hmac, sha256 } from 'k6/crypto';
import http from 'k6/http';

export const AMZ_CONTENT_SHA256_HEADER = 'x-amz-content-sha256';
export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';

const ALGORITHM = 'AWS4-HMAC-SHA256';
/** A URL that was signed ahead is good for a week at most. */
const LONGEST = 7 * 24 * 3600;
/** Headers that proxies change, so that they cannot be signed. */
const NEVER_SIGNED = new Set('authorization cache-control connection expect from keep-alive max-forwards pragma referer te trailer transfer-encoding upgrade user-agent x-amzn-trace-id'.split(' '));
/** Headers that signing makes itself. */
const MADE = ['authorization', 'x-amz-date', 'date'];

/** What a service answers with when it refuses. */
export class AWSError extends Error {
  constructor(message, code) {
    super(message);
    this.name = 'AWSError';
    this.code = code;
  }
  static parseXML(text) {
    return new AWSError(texts(text ?? '', 'Message')[0] ?? '', texts(text ?? '', 'Code')[0] ?? '');
  }
  static parse(response) {
    if (!(response.headers['Content-Type'] ?? '').includes('json')) return AWSError.parseXML(response.body);
    const error = json(response);
    const type = response.headers['X-Amzn-Errortype'] || error.__type;
    return new AWSError(error.Message || error.message || error.__type || 'An error occurred on the server side', type);
  }
}

export class InvalidSignatureError extends AWSError {
  constructor(message, code) {
    super(message, code);
    this.name = 'InvalidSignatureError';
  }
}

export class InvalidAWSConfigError extends Error {}

/** A request that had no answer: its code is the dialect's. */
class NetworkError extends Error {
  constructor(name, code, message) {
    super(message);
    this.name = name;
    this.code = code;
  }
}
export class GeneralError extends NetworkError {}
export class DNSError extends NetworkError {}
export class TCPError extends NetworkError {}
export class TLSError extends NetworkError {}
export class HTTP2Error extends NetworkError {}

/** By the hundreds of the code. */
const NETWORK = { 10: GeneralError, 11: DNSError, 12: TCPError, 13: TLSError, 16: HTTP2Error };

/** The error of one service, which says what was asked of it. */
export function serviceError(name) {
  return {
    [name]: class extends AWSError {
      constructor(message, code, operation) {
        super(message, code);
        this.name = name;
        this.operation = operation;
      }
    },
  }[name];
}

/** What is in each element of a name, in an answer of XML, with the marks of the elements in it. */
export function elements(xml, name) {
  const found = xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([^]*?)</${name}>`, 'g'));
  return Array.from(found, (match) => match[1]);
}

/** The same, as text. */
export const texts = (xml, name) => elements(xml, name).map(plain);

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const plain = (text) => text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, number, name) => {
  if (hex || number) return String.fromCodePoint(hex ? parseInt(hex, 16) : Number(number));
  return ENTITIES[name] ?? whole;
});

function json(response) {
  try {
    return response.json() ?? {};
  } catch (_) {
    return {};
  }
}

/** Where a service is. */
export class Endpoint {
  constructor(address) {
    this.href = address;
  }
  copy() {
    return new Endpoint(this.href);
  }
  get href() {
    return `${this.protocol}://${this.host}`;
  }
  set href(address) {
    const [, protocol = 'https', host] = /^(?:(https?):\/\/)?([^/]*)/.exec(address);
    this.protocol = protocol;
    this.host = host;
  }
  get host() {
    return this.port === undefined ? this.hostname : `${this.hostname}:${this.port}`;
  }
  set host(host) {
    const [, name, port] = /^(.*?)(?::(\d+))?$/.exec(host);
    this.hostname = name;
    this.port = port === undefined ? undefined : Number(port);
  }
}

/** Region, credentials, and perhaps an endpoint. */
export class AWSConfig {
  static fromEnvironment(options = {}) {
    const { AWS_REGION: region, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = __ENV;
    return new AWSConfig({ region, accessKeyId, secretAccessKey, sessionToken, endpoint: options.endpoint });
  }
  constructor({ region, accessKeyId, secretAccessKey, sessionToken, endpoint } = {}) {
    const wrong = (what, value) => new InvalidAWSConfigError(`invalid AWS ${what}; reason: expected ${value}`);
    if (!region) throw wrong('region', `a valid AWS region name (e.g. "us-east-1"), got \`${region}\``);
    if (!accessKeyId) throw wrong('access key ID', `a non empty string, got \`${accessKeyId}\``);
    if (accessKeyId.length < 16 || accessKeyId.length > 128) {
      throw wrong('access key ID', `between 16 and 128 characters, got ${accessKeyId.length}`);
    }
    if (!secretAccessKey) throw wrong('secret access key', 'a non empty string');
    Object.assign(this, { region, accessKeyId, secretAccessKey });
    if (sessionToken !== undefined) this.sessionToken = sessionToken;
    if (endpoint !== undefined) this.endpoint = typeof endpoint === 'string' ? new Endpoint(endpoint) : endpoint;
  }
}

/** A text as it may stand in a URL, and as it is signed. */
export const escaped = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** Names and values as they are sent and signed: escaped, in order. */
function queryOf(query = {}) {
  const pairs = Object.keys(query).flatMap((name) => [query[name]].flat().map((value) => [escaped(name), escaped(String(value))]));
  const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return pairs.sort((a, b) => order(a[0], b[0]) || order(a[1], b[1])).map((pair) => pair.join('=')).join('&');
}

/** Without dots and empty parts, as every service but S3 looks at a path. */
function normalized(path) {
  const parts = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  const rest = parts.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${parts.join('/')}${rest}`;
}

function days(date) {
  const time = new Date(typeof date === 'number' ? date * 1000 : date).toISOString().replace(/[-:]|\.\d+/g, '');
  return { time, day: time.slice(0, 8) };
}

/** Only the part that a view shows. */
const buffer = (body) => (ArrayBuffer.isView(body) ? body.buffer.slice(body.byteOffset, body.byteOffset + body.byteLength) : body);

/** Signs requests (https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html). */
export class SignatureV4 {
  constructor({ service, region, credentials, uriEscapePath = true, applyChecksum = true }) {
    Object.assign(this, { service, region, credentials, uriEscapePath, applyChecksum });
  }

  /** The request with the headers that sign it, and the URL it goes to. */
  sign(request, options = {}) {
    const { time, day } = days(options.signingDate ?? new Date());
    const endpoint = endpointOf(request);
    const headers = {};
    for (const name of Object.keys(request.headers ?? {})) {
      if (!MADE.includes(name.toLowerCase()) && name.toLowerCase() !== 'host') headers[name] = request.headers[name];
    }
    headers.host = endpoint.host;
    headers['x-amz-date'] = time;
    if (this.credentials.sessionToken) headers['x-amz-security-token'] = this.credentials.sessionToken;
    const body = buffer(request.body) || '';
    const hash = payloadHash(headers, body);
    if (this.applyChecksum) setOnce(headers, AMZ_CONTENT_SHA256_HEADER, hash);
    const scope = this.scope(options, day);
    const signed = signable(headers, options);
    const signature = this.signature({ ...request, body }, signed, hash, scope, time);
    headers.authorization = `${ALGORITHM} Credential=${this.credentials.accessKeyId}/${scope.join('/')}, SignedHeaders=${signed.map(([name]) => name).join(';')}, Signature=${signature}`;
    Object.assign(request, { headers, body });
    return { url: address(endpoint, request), ...request };
  }

  /** The request whose URL is signed, so that whoever has it may send it for a time. */
  presign(request, options = {}) {
    const { expiresIn = 3600, unhoistableHeaders } = options;
    if (expiresIn > LONGEST) throw new InvalidSignatureError("Signature version 4 presigned URLs can't be valid for more than 7 days");
    const { time, day } = days(options.signingDate ?? new Date());
    const endpoint = endpointOf(request);
    const [headers, query] = [{}, { ...request.query }];
    for (const [name, value] of Object.entries(request.headers ?? {})) {
      const lower = name.toLowerCase();
      if (lower.startsWith('x-amz-') && !unhoistableHeaders?.has(lower)) query[name] = value;
      else if (lower !== 'host') headers[name] = value;
    }
    headers.host = endpoint.host;
    const scope = this.scope(options, day);
    const signed = signable(headers, options);
    if (this.credentials.sessionToken) query['X-Amz-Security-Token'] = this.credentials.sessionToken;
    query['X-Amz-Algorithm'] = ALGORITHM;
    query['X-Amz-Credential'] = `${this.credentials.accessKeyId}/${scope.join('/')}`;
    query['X-Amz-Date'] = time;
    query['X-Amz-Expires'] = String(expiresIn);
    query['X-Amz-SignedHeaders'] = signed.map(([name]) => name).join(';');
    const hash = payloadHash(request.headers ?? {}, buffer(request.body) || '');
    const asked = { ...request, headers, query };
    query['X-Amz-Signature'] = this.signature(asked, signed, hash, scope, time);
    return { url: address(endpoint, asked), ...asked };
  }

  scope({ signingRegion, signingService }, day) {
    return [day, signingRegion || this.region, signingService || this.service, 'aws4_request'];
  }

  signature({ method, path, query }, signed, hash, scope, time) {
    const lines = signed.map(([name, value]) => `${name}:${value}\n`).join('');
    const place = this.uriEscapePath ? escapedPath(path || '/') : path || '/';
    const names = signed.map(([name]) => name).join(';');
    const canonical = [method.toUpperCase(), place, queryOf(query), lines, names, hash].join('\n');
    const text = [ALGORITHM, time, scope.join('/'), sha256(canonical, 'hex')].join('\n');
    const key = scope.reduce((secret, part) => hmac('sha256', secret, part, 'binary'), `AWS4${this.credentials.secretAccessKey}`);
    return hmac('sha256', key, text, 'hex');
  }
}

/** Each part of a path escaped. */
const escapedPath = (path) => normalized(path).split('/').map(escaped).join('/');

/** A request says where it goes by an endpoint, or, as it used to, by protocol and hostname. */
function endpointOf({ endpoint, protocol = 'https', hostname }) {
  if (endpoint === undefined) return new Endpoint(`${protocol}://${hostname}`);
  return typeof endpoint === 'string' ? new Endpoint(endpoint) : endpoint;
}

function address(endpoint, { path = '', query }) {
  const text = queryOf(query);
  return `${endpoint.href}${path}${text === '' ? '' : `?${text}`}`;
}

function setOnce(headers, name, value) {
  if (!Object.keys(headers).some((known) => known.toLowerCase() === name)) headers[name] = value;
}

/** Of the body, unless a header says it. */
function payloadHash(headers, body) {
  const name = Object.keys(headers).find((known) => known.toLowerCase() === AMZ_CONTENT_SHA256_HEADER);
  return name === undefined ? sha256(body, 'hex') : headers[name];
}

/** The headers that are signed, in order, as pairs. */
function signable(headers, { unsignableHeaders, signableHeaders }) {
  const left = Object.entries(headers).filter(([, value]) => value !== undefined && value !== null);
  const pairs = left.map(([name, value]) => [name.toLowerCase(), String(value).trim().replace(/\s+/g, ' ')]);
  const wanted = pairs.filter(([name]) => signableHeaders?.has(name) || !(NEVER_SIGNED.has(name) || unsignableHeaders?.has(name)));
  return wanted.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A client of one service: signed requests, and errors that say what went wrong. */
export class AWSClient {
  constructor(awsConfig, serviceName, { ServiceError, signing = {} } = {}) {
    Object.assign(this, { awsConfig, serviceName, ServiceError });
    this.endpoint = awsConfig.endpoint ?? new Endpoint(`https://${serviceName}.${awsConfig.region}.amazonaws.com`);
    const { region, accessKeyId, secretAccessKey, sessionToken } = awsConfig;
    const credentials = { accessKeyId, secretAccessKey, sessionToken };
    this.signer = new SignatureV4({ service: serviceName, region, credentials, applyChecksum: false, ...signing });
    return new Proxy(this, { get: (client, name, me) => (name in client || !isCall(name) ? Reflect.get(client, name, me) : missing(client, name)) });
  }

  /** Sends a request and returns the answer, or throws. Bodies are read whatever discardResponseBodies says. */
  async send(operation, request, params = {}) {
    const signed = this.signer.sign({ endpoint: this.endpoint, headers: {}, ...request });
    const body = signed.body === '' ? null : signed.body;
    const response = await http.asyncRequest(request.method, signed.url, body, { responseType: 'text', ...params, headers: signed.headers });
    if (response.status >= 200 && response.status < 300 && response.error === '') return response;
    const Kind = response.status === 0 ? (NETWORK[Math.floor(response.error_code / 100)] ?? GeneralError) : undefined;
    if (Kind) throw new Kind(Kind.name, response.error_code, response.error);
    throw this.refusal(response, operation);
  }

  /** Calls an operation by its name, with and for JSON. */
  async call(target, operation, body, version = '1.1') {
    const headers = { 'Content-Type': `application/x-amz-json-${version}`, 'x-amz-target': `${target}.${operation}` };
    const response = await this.send(operation, { method: 'POST', path: '/', headers, body: JSON.stringify(body) });
    return json(response);
  }

  /** What a service says when it refuses. */
  refusal(response, operation) {
    const error = json(response);
    const message = error.Message || error.message || error.__type || `the service answered with status ${response.status}`;
    if (error.__type === 'InvalidSignatureException') return new InvalidSignatureError(message, error.__type);
    if (response.status >= 500) return new this.ServiceError('An error occured on the server side', 'InternalServiceError', operation);
    return new this.ServiceError(message, error.__type, operation);
  }
}

/** Names that operations have: a verb, and what it is done to. */
const isCall = (name) => typeof name === 'string' && /^[a-z]+[A-Z]\w*$/.test(name) && name !== 'toJSON';

function missing(client, name) {
  const { constructor } = client;
  const known = Object.getOwnPropertyNames(constructor.prototype).filter((method) => isCall(method) || method === 'invoke');
  return () => {
    throw new TypeError(`${constructor.name} has no method ${name}(): of its operations there are ${known.join(', ')}`);
  };
}
