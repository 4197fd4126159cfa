// checks: 17
import { AMZ_CONTENT_SHA256_HEADER, AWSConfig, Endpoint, SignatureV4, UNSIGNED_PAYLOAD } from 'https://jslib.k6.io/aws/0.12.3/signature.js';
import { check } from 'k6';
import { thrown } from './lib/thrown.js';

// The published cases: AWS's test suite of Signature Version 4, and the examples in the references of IAM and S3.
const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const suite = new SignatureV4({ service: 'service', region: 'us-east-1', credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: secret }, applyChecksum: false });
const s3 = new SignatureV4({
  service: 's3',
  region: 'us-east-1',
  credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: secret.replace('+', '/') },
  uriEscapePath: false,
});
const then = new Date('2015-08-30T12:36:00Z');
const earlier = new Date('2013-05-24T00:00:00Z');
const bucket = new Endpoint('https://examplebucket.s3.amazonaws.com');

function signed(parts, signer = suite, signingDate = then) {
  const request = { method: 'GET', endpoint: new Endpoint('https://example.amazonaws.com'), path: '/', headers: {}, ...parts };
  return signer.sign(request, { signingDate, ...parts.options });
}
const signature = (...args) => signed(...args).headers.authorization.split('Signature=')[1];
const ofS3 = (parts) => signature({ endpoint: bucket, ...parts }, s3, earlier);

export default function () {
  const unsigned = { [AMZ_CONTENT_SHA256_HEADER]: UNSIGNED_PAYLOAD };
  const only = new Set([AMZ_CONTENT_SHA256_HEADER]);
  const ahead = s3.presign(
    { method: 'GET', endpoint: bucket, path: '/test.txt', headers: unsigned },
    { signingDate: earlier, expiresIn: 86400, unhoistableHeaders: only, unsignableHeaders: only },
  );
  const iam = {
    endpoint: new Endpoint('iam.amazonaws.com'),
    query: { Version: '2010-05-08', Action: 'ListUsers' },
    headers: { 'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8' },
    options: { signingService: 'iam' },
  };
  const form = { method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'Param1=value1' };
  const stored = {
    method: 'PUT',
    path: '/test%24file.text',
    headers: { 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
    body: new Uint8Array([...'--Welcome to Amazon S3.--'].map((c) => c.charCodeAt(0))).subarray(2, 23),
  };
  const config = (parts) => thrown(() => new AWSConfig({ region: 'r', accessKeyId: 'a'.repeat(16), secretAccessKey: 's', ...parts }));
  check(null, {
    'get-vanilla': () => signature({}) === '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    'get-vanilla-query-order': () => signature({ query: { Param2: 'value2', Param1: 'value1' } }) === 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    'get-vanilla-utf8-query': () => signature({ query: { ሴ: 'bar' } }) === '2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04',
    'get-utf8': () => signature({ path: '/ሴ' }) === '8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85',
    'get-space and get-slash': () => signature({ path: '/example space/' }) === '652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741' && signature({ path: '/foo/..//./' }) === signature({}),
    'get-header-value-trim': () => signature({ headers: { 'My-Header1': ' value1 ', 'My-Header2': ' "a   b   c" ' } }) === 'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
    'post-vanilla': () => signature({ method: 'POST' }) === '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
    'post-x-www-form-urlencoded': () => signature(form) === 'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
    'IAM, ListUsers': () => signature(iam) === '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    'S3, GET of a part': () => ofS3({ path: '/test.txt', headers: { Range: 'bytes=0-9' } }) === 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    'S3, lifecycle': () => ofS3({ query: { lifecycle: '' } }) === 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    'S3, a list': () => ofS3({ query: { 'max-keys': '2', prefix: 'J' } }) === '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    'S3, a URL signed ahead': () => ahead.url.endsWith('&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404&X-Amz-SignedHeaders=host')
      && ahead.url.startsWith('https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524'),
    'S3, the part of a buffer': () => ofS3(stored) === ofS3({ ...stored, body: 'Welcome to Amazon S3.' }),
    'a week at most': () => thrown(() => s3.presign({ method: 'GET', endpoint: bucket, path: '/' }, { expiresIn: 700000 })).includes('7 days'),
    'an endpoint': () => new Endpoint('localhost:4566').href === 'https://localhost:4566' && new Endpoint('http://h/x').copy().host === 'h',
    'a configuration': () => config({}) === 'nothing' && [{ region: '' }, { accessKeyId: 'short' }, { secretAccessKey: '' }].every((parts) => config(parts).startsWith('invalid AWS')),
  });
}
