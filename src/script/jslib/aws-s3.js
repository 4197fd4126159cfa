// S3, by the documented interface of https://jslib.k6.io/aws. Buckets are parts of the path, so that any endpoint will do.
import { AWSClient, AWSError, InvalidSignatureError, elements, escaped, serviceError, texts } from 'jslib:aws-core';

export * from 'jslib:aws-core';

export const S3ServiceError = serviceError('S3ServiceError');

/** An object with these fields, in this order, by a constructor that takes them one by one. */
const record = (name, fields) => ({
  [name]: class {
    constructor(...values) {
      fields.forEach((field, i) => (this[field] = values[i]));
    }
  },
})[name];

export const S3Bucket = record('S3Bucket', ['name', 'creationDate']);
export const S3Object = record('S3Object', ['key', 'lastModified', 'etag', 'size', 'storageClass', 'data']);
export const S3MultipartUpload = record('S3MultipartUpload', ['key', 'uploadId']);
export const S3Part = record('S3Part', ['partNumber', 'eTag']);

/** What came of a putObject. */
export class S3UploadedObject {
  constructor(key, etag, { crc32, crc32c, crc64nvme, sha1, sha256, checksumType = 'FULL_OBJECT', size } = {}) {
    Object.assign(this, { key, etag, crc32, crc32c, crc64nvme, sha1, sha256, checksumType, size });
  }
}

/** A key may have slashes, and anything else that a URL must not have. */
const pathOf = (bucket, key = '') => `/${escaped(bucket)}/${key.split('/').map(escaped).join('/')}`;
const marked = (text) => text.replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]);

const PUT_HEADERS = {
  contentDisposition: 'Content-Disposition',
  contentEncoding: 'Content-Encoding',
  contentLength: 'Content-Length',
  contentMD5: 'Content-MD5',
  contentType: 'Content-Type',
};

export class S3Client extends AWSClient {
  constructor(awsConfig) {
    // S3 looks at paths as they are, and wants the body's hash in a header.
    super(awsConfig, 's3', { ServiceError: S3ServiceError, signing: { uriEscapePath: false, applyChecksum: true } });
  }

  async listBuckets() {
    const { body } = await this.send('ListBuckets', { method: 'GET', path: '/' });
    const one = (bucket) => new S3Bucket(texts(bucket, 'Name')[0], Date.parse(texts(bucket, 'CreationDate')[0]));
    return elements(body, 'Bucket').map(one);
  }

  async listObjects(bucketName, prefix = '') {
    const query = { 'list-type': '2', prefix };
    const { body } = await this.send('ListObjectsV2', { method: 'GET', path: pathOf(bucketName), query });
    return elements(body, 'Contents').map((object) => {
      const text = (name) => texts(object, name)[0];
      return new S3Object(text('Key'), Date.parse(text('LastModified')), text('ETag'), Number(text('Size')), text('StorageClass'));
    });
  }

  async getObject(bucketName, objectKey, additionalHeaders = {}) {
    const responseType = additionalHeaders.Accept === 'application/octet-stream' ? 'binary' : 'text';
    const request = { method: 'GET', path: pathOf(bucketName, objectKey), headers: { ...additionalHeaders } };
    const { headers, body } = await this.send('GetObject', request, { responseType });
    const size = Number.parseInt(headers['Content-Length'], 10);
    return new S3Object(objectKey, Date.parse(headers['Last-Modified']), headers.Etag, size, headers['X-Amz-Storage-Class'] ?? 'STANDARD', body);
  }

  async putObject(bucketName, objectKey, data, params = {}) {
    const headers = {};
    for (const [name, header] of Object.entries(PUT_HEADERS)) if (params[name]) headers[header] = params[name];
    const answer = await this.send('PutObject', { method: 'PUT', path: pathOf(bucketName, objectKey), headers, body: data });
    const header = (name) => answer.headers[name];
    const size = header('X-Amz-Object-Size');
    return new S3UploadedObject(objectKey, header('Etag') ?? '', {
      crc32: header('X-Amz-Checksum-Crc32'),
      crc32c: header('X-Amz-Checksum-Crc32c'),
      crc64nvme: header('X-Amz-Checksum-Crc64nvme'),
      sha1: header('X-Amz-Checksum-Sha1'),
      sha256: header('X-Amz-Checksum-Sha256'),
      checksumType: header('X-Amz-Checksum-Type'),
      size: size === undefined ? undefined : Number(size),
    });
  }

  async deleteObject(bucketName, objectKey) {
    await this.send('DeleteObject', { method: 'DELETE', path: pathOf(bucketName, objectKey) });
  }

  async copyObject(sourceBucket, sourceKey, destinationBucket, destinationKey) {
    const headers = { 'x-amz-copy-source': pathOf(sourceBucket, sourceKey).slice(1) };
    const answer = await this.send('CopyObject', { method: 'PUT', path: pathOf(destinationBucket, destinationKey), headers });
    this.complain('CopyObject', answer);
  }

  async createMultipartUpload(bucketName, objectKey) {
    const request = { method: 'POST', path: pathOf(bucketName, objectKey), query: { uploads: '' } };
    const { body } = await this.send('CreateMultipartUpload', request);
    return new S3MultipartUpload(objectKey, texts(body, 'UploadId')[0]);
  }

  async uploadPart(bucketName, objectKey, uploadId, partNumber, data) {
    const query = { partNumber: String(partNumber), uploadId };
    const { headers } = await this.send('UploadPart', { method: 'PUT', path: pathOf(bucketName, objectKey), query, body: data });
    return new S3Part(partNumber, headers.Etag);
  }

  async completeMultipartUpload(bucketName, objectKey, uploadId, parts) {
    const one = ({ partNumber, eTag }) => `<Part><PartNumber>${partNumber}</PartNumber><ETag>${marked(eTag)}</ETag></Part>`;
    const body = `<CompleteMultipartUpload>${parts.map(one).join('')}</CompleteMultipartUpload>`;
    const answer = await this.send('CompleteMultipartUpload', { method: 'POST', path: pathOf(bucketName, objectKey), query: { uploadId }, body });
    this.complain('CompleteMultipartUpload', answer);
  }

  async abortMultipartUpload(bucketName, objectKey, uploadId) {
    await this.send('AbortMultipartUpload', { method: 'DELETE', path: pathOf(bucketName, objectKey), query: { uploadId } });
  }

  /** What takes long may be answered with 200 before it fails. */
  complain(operation, answer) {
    if (/<Error[\s>]/.test(answer.body ?? '')) throw this.refusal(answer, operation);
  }

  refusal(response, operation) {
    // A bucket that is elsewhere, or nowhere.
    if (response.status === 301) return new S3ServiceError('Resource not found', 'ResourceNotFound', operation);
    const { code, message } = AWSError.parseXML(response.body);
    if (code === 'AuthorizationHeaderMalformed') return new InvalidSignatureError(message, code);
    return new S3ServiceError(message || `the service answered with status ${response.status}`, code || 'unknown', operation);
  }
}
