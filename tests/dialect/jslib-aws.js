// variable: AWS_REGION=eu-north-1
// variable: AWS_ACCESS_KEY_ID=AKIDEXAMPLEEXAMPLE
// variable: AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
// checks: 35
// says: request failed
import {
  AMZ_CONTENT_SHA256_HEADER, AWSConfig, DynamoDBClient, EventBridgeClient, KMSClient, KinesisClient, LambdaClient, S3Client, SQSClient, SecretsManagerClient,
  SignatureV4, SystemsManagerClient, UNSIGNED_PAYLOAD,
} from 'https://jslib.k6.io/aws/0.12.3/aws.js';
import { S3Client as OfItsOwnFile } from 'https://jslib.k6.io/aws/latest/s3.js';
import http from 'k6/http';
import { check } from 'k6';
import { thrown } from './lib/thrown.js';

// Bodies are read all the same.
export const options = { discardResponseBodies: true };

const config = AWSConfig.fromEnvironment({ endpoint: __ENV.AWS });
const s3 = new S3Client(config);

const failed = (promise) => promise.then(() => ({}), (error) => error);

export default async function () {
  const found = {};
  const key = "folder/a b+ü('1')&<2>.txt";
  const stored = await s3.putObject('shop', key, 'the text', { contentType: 'text/plain', contentDisposition: 'inline' });
  found.put = stored.key === key && /^"[0-9a-f]{8}"$/.test(stored.etag) && stored.checksumType === 'FULL_OBJECT';
  const object = await s3.getObject('shop', key);
  found.get = object.data === 'the text' && object.size === 8 && object.etag === stored.etag && object.storageClass === 'STANDARD' && object.lastModified === Date.parse('2024-05-06T07:08:09Z');
  await s3.putObject('shop', 'bytes', new Uint8Array([0, 200, 255]).subarray(1));
  const bytes = await s3.getObject('shop', 'bytes', { Accept: 'application/octet-stream' });
  found.bytes = new Uint8Array(bytes.data).join() === '200,255';
  const buckets = await s3.listBuckets();
  found.buckets = buckets.length === 1 && buckets[0].name === 'shop' && buckets[0].creationDate > 0;
  await s3.copyObject('shop', key, 'shop', 'folder/copy');
  const list = await s3.listObjects('shop', 'folder/');
  found.list = list.length === 2 && list[0].key === key && list[0].size === 8 && list[0].etag === '"e"' && list[1].key === 'folder/copy';
  const upload = await s3.createMultipartUpload('shop', 'large');
  const parts = [await s3.uploadPart('shop', 'large', upload.uploadId, 1, 'one,'), await s3.uploadPart('shop', 'large', upload.uploadId, 2, 'two')];
  await s3.completeMultipartUpload('shop', 'large', upload.uploadId, parts);
  found.parts = upload.uploadId === 'up1' && parts[1].partNumber === 2 && (await s3.getObject('shop', 'large')).data === 'one,two';
  await s3.uploadPart('shop', 'other', 'up1', 1, 'x');
  await s3.abortMultipartUpload('shop', 'other', 'up1');
  const missing = await failed(s3.completeMultipartUpload('shop', 'other', 'up1', [{ partNumber: 1, eTag: 'e' }]));
  found['a failure with status 200'] = missing.name === 'S3ServiceError' && missing.code === 'InvalidPart';
  await s3.deleteObject('shop', key);
  const gone = await failed(s3.getObject('shop', key));
  found.delete = gone.name === 'S3ServiceError' && gone.code === 'NoSuchKey' && gone.operation === 'GetObject' && gone.message === 'there is no <such> key';
  found['a bucket that is elsewhere'] = (await failed(s3.getObject('elsewhere', 'x'))).code === 'ResourceNotFound';
  const unsigned = new S3Client(new AWSConfig({ region: 'r', accessKeyId: 'AKIDEXAMPLEEXAMPLE', secretAccessKey: 'another', endpoint: __ENV.AWS }));
  found['another secret'] = (await failed(unsigned.listBuckets())).name === 'InvalidSignatureError';
  const nowhere = new S3Client(new AWSConfig({ ...config, endpoint: 'http://127.0.0.1:1' }));
  found['nobody there'] = (await failed(nowhere.listBuckets())).name === 'TCPError';
  found['a method that is none'] = thrown(() => s3.headObject('shop', 'x')).startsWith('S3Client has no method headObject(): of its operations there are listBuckets');

  const sealed = { [AMZ_CONTENT_SHA256_HEADER]: UNSIGNED_PAYLOAD };
  const only = new Set([AMZ_CONTENT_SHA256_HEADER]);
  const signer = new SignatureV4({ service: 's3', region: config.region, credentials: config, uriEscapePath: false });
  const ahead = signer.presign({ method: 'GET', endpoint: config.endpoint, path: '/shop/bytes', headers: sealed }, { unhoistableHeaders: only, unsignableHeaders: only });
  found['a URL signed ahead'] = http.get(ahead.url).status === 200 && http.get(ahead.url.replace('X-Amz-Date=2', 'X-Amz-Date=3')).status === 403;

  const secrets = new SecretsManagerClient(config);
  const secret = await secrets.getSecret('name');
  found.secret = secret.name === 'name' && secret.secret === 'tops' && secret.createdDate === 1.5 && secret.tags.length === 0;
  found.secrets = (await secrets.listSecrets()).map((one) => one.name).join() === 'one,two';
  found['a new secret'] = (await secrets.createSecret('n', 's', 'd')).arn.length === 36 && (await secrets.putSecretValue('n', 'v')).arn === 'v';
  found['no secret any more'] = (await secrets.deleteSecret('n', { noRecovery: true })) === undefined;
  const unknown = await failed(secrets.getSecret('missing'));
  found['no such secret'] = unknown.name === 'SecretsManagerServiceError' && unknown.code === 'ResourceNotFoundException' && unknown.operation === 'GetSecretValue';

  const kms = new KMSClient(config);
  found.kms = (await kms.listKeys())[0].keyId === 'k1' && (await kms.generateDataKey('k1')).plaintext === '32' && (await kms.generateDataKey('k1', 64)).id === 'k1';
  const parameter = await new SystemsManagerClient(config).getParameter('p', true);
  found.ssm = parameter.name === 'p' && parameter.value === true && parameter.version === 3;

  const sqs = new SQSClient(config);
  const sent = await sqs.sendMessage('http://queue/1', 'body', { messageGroupId: 'g', messageAttributes: { a: { type: 'String', value: 'v' } } });
  found.sqs = sent.id === 'g' && sent.bodyMD5 === 'v';
  const batch = await sqs.sendMessageBatch('http://queue/1', [{ messageId: '1', messageBody: 'one' }, { messageId: '2', messageBody: 'two' }]);
  found['sqs batch'] = batch.successful[0].bodyMD5 === 'one' && batch.failed[0].code === 'TooLong' && batch.failed[0].message === 'two';
  const [received] = await sqs.receiveMessages('http://queue/1');
  found['sqs receive'] = received.Body === 'text' && received.Attributes.SenderId === 'me' && (await sqs.deleteMessage('http://queue/1', received.ReceiptHandle)) === undefined;
  found['sqs queues'] = (await sqs.listQueues({ queueNamePrefix: 'q' })).urls.join() === 'q';

  const lambda = new LambdaClient(config);
  const invoked = await lambda.invoke('f:1', '{"a":1}', { logType: 'Tail', qualifier: 'v1' });
  found.lambda = invoked.payload === '{"a":1}' && invoked.statusCode === 200 && invoked.logResult === 'a line of its log' && invoked.executedVersion === 'Qualifier=v1';
  const fails = await failed(lambda.invoke('fails', 'x'));
  found['a function that fails'] = fails.name === 'LambdaInvocationError' && fails.message === 'Unhandled: x' && fails.response.payload === 'x';

  const kinesis = new KinesisClient(config);
  await kinesis.createStream('s', { shardCount: 2 });
  found.kinesis = (await kinesis.listStreams()).streamSummaries[0].streamStatus === 'ACTIVE';
  found['kinesis records'] = (await kinesis.putRecords([{ Data: 'ZGF0YQ==', PartitionKey: 'k' }], { streamName: 's' })).records[0].sequenceNumber === 'k' && (await kinesis.getRecords('it')).records[0].data === 'ZGF0YQ==';
  found['kinesis shards'] = (await kinesis.listShards('s')).shards[0].id === 'shard-1' && (await kinesis.getShardIterator('s', 'shard-1', 'LATEST')).shardIterator === 'LATEST';
  await kinesis.deleteStream('s');
  found.events = (await new EventBridgeClient(config).putEvents({ Entries: [{ Source: 's', Detail: { a: 1 }, DetailType: 't' }] })) === undefined;

  const dynamo = new DynamoDBClient(config);
  await dynamo.putItem('t', { id: { S: '1' } });
  found.dynamo = (await dynamo.getItem('t', { id: { S: '1' } }, { consistentRead: true })).id.S === '1' && (await dynamo.deleteItem('t', { id: { S: '1' } })) === undefined;
  found['dynamo update'] = (await dynamo.updateItem('t', {}, 'SET v = :v', { returnValues: 'ALL_NEW' })).v.S === 'ALL_NEW';
  const page = await dynamo.query('t', 'id = :id', { expressionAttributeValues: { ':id': { S: '1' } } });
  found['dynamo query'] = page.items[0][':id'].S === '1' && page.count === 1 && page.scannedCount === 2;
  found['an error of the service'] = (await failed(dynamo.scan('t'))).code === 'InternalServiceError';
  found['by the name of its file'] = OfItsOwnFile === S3Client;
  check(found, Object.fromEntries(Object.keys(found).map((name) => [name, (all) => all[name] === true || (console.error(name), false)])));
}
