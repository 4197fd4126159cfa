// Services that are called by name with JSON, by the documented interface of https://jslib.k6.io/aws: DynamoDB, EventBridge, Kinesis,
// KMS, Lambda, Secrets Manager, SQS and Systems Manager.
import { b64decode } from 'k6/encoding';
import { AWSClient, AWSError, InvalidSignatureError, serviceError } from 'jslib:aws-core';

export * from 'jslib:aws-core';

/** Only what is given. */
const given = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

export const SecretsManagerServiceError = serviceError('SecretsManagerServiceError');

export class Secret {
  constructor(name, arn, secret, createdDate, lastAccessedDate, lastChangedDate, tags = []) {
    Object.assign(this, { name, arn, secret, createdDate, lastAccessedDate, lastChangedDate, tags });
  }
  static fromJSON({ Name, ARN, SecretString, CreatedDate, LastAccessedDate, LastChangedDate, Tags }) {
    return new Secret(Name, ARN, SecretString, CreatedDate, LastAccessedDate, LastChangedDate, Tags);
  }
}

export class SecretsManagerClient extends AWSClient {
  constructor(awsConfig) {
    super(awsConfig, 'secretsmanager', { ServiceError: SecretsManagerServiceError });
  }
  async listSecrets() {
    const { SecretList = [] } = await this.call('secretsmanager', 'ListSecrets', {});
    return SecretList.map(Secret.fromJSON);
  }
  async getSecret(id) {
    return Secret.fromJSON(await this.call('secretsmanager', 'GetSecretValue', { SecretId: id }));
  }
  async createSecret(name, secret, description, versionID = crypto.randomUUID(), tags) {
    const body = { Name: name, Description: description, SecretString: secret, ClientRequestToken: versionID, Tags: tags };
    return Secret.fromJSON(await this.call('secretsmanager', 'CreateSecret', body));
  }
  async putSecretValue(id, secret, versionID = crypto.randomUUID()) {
    const body = { SecretId: id, SecretString: secret, ClientRequestToken: versionID };
    return Secret.fromJSON(await this.call('secretsmanager', 'PutSecretValue', body));
  }
  async deleteSecret(id, { recoveryWindow = 30, noRecovery = false } = {}) {
    const how = noRecovery ? { ForceDeleteWithoutRecovery: true } : { RecoveryWindowInDays: recoveryWindow };
    await this.call('secretsmanager', 'DeleteSecret', { SecretId: id, ...how });
  }
}

export const KMSServiceError = serviceError('KMSServiceError');

export class KMSKey {
  constructor(keyArn, keyId) {
    Object.assign(this, { keyArn, keyId });
  }
}

export class KMSDataKey {
  constructor(ciphertextBlob, id, plaintext) {
    Object.assign(this, { ciphertextBlob, id, plaintext });
  }
}

export class KMSClient extends AWSClient {
  constructor(awsConfig) {
    super(awsConfig, 'kms', { ServiceError: KMSServiceError });
  }
  async listKeys() {
    const { Keys = [] } = await this.call('TrentService', 'ListKeys', {});
    return Keys.map(({ KeyArn, KeyId }) => new KMSKey(KeyArn, KeyId));
  }
  async generateDataKey(id, size = 32) {
    const key = await this.call('TrentService', 'GenerateDataKey', { KeyId: id, NumberOfBytes: size });
    return new KMSDataKey(key.CiphertextBlob, key.KeyId, key.Plaintext);
  }
}

export const SystemsManagerServiceError = serviceError('SystemsManagerServiceError');

export class SystemsManagerParameter {
  constructor(arn, dataType, lastModifiedDate, name, selector, sourceResult, type, value, version) {
    Object.assign(this, { arn, dataType, lastModifiedDate, name, selector, sourceResult, type, value, version });
  }
}

export class SystemsManagerClient extends AWSClient {
  constructor(awsConfig) {
    super(awsConfig, 'ssm', { ServiceError: SystemsManagerServiceError });
  }
  async getParameter(name, withDecryption = false) {
    const { Parameter: p } = await this.call('AmazonSSM', 'GetParameter', { Name: name, WithDecryption: withDecryption });
    return new SystemsManagerParameter(p.ARN, p.DataType, p.LastModifiedDate, p.Name, p.Selector, p.SourceResult, p.Type, p.Value, p.Version);
  }
}

export const SQSServiceError = serviceError('SQSServiceError');

export class SQSClient extends AWSClient {
  constructor(awsConfig) {
    super(awsConfig, 'sqs', { ServiceError: SQSServiceError, signing: { applyChecksum: true } });
  }
  ask(operation, body) {
    return this.call('AmazonSQS', operation, body, '1.0');
  }
  async sendMessage(queueUrl, messageBody, options = {}) {
    const sent = await this.ask('SendMessage', { QueueUrl: queueUrl, ...message(messageBody, options) });
    return { id: sent.MessageId, bodyMD5: sent.MD5OfMessageBody };
  }
  async sendMessageBatch(queueUrl, entries) {
    const one = ({ messageId, messageBody, messageOptions }) => ({ ...message(messageBody, messageOptions), Id: messageId });
    const { Successful = [], Failed = [] } = await this.ask('SendMessageBatch', { QueueUrl: queueUrl, Entries: entries.map(one) });
    return {
      successful: Successful.map((sent) => ({ id: sent.MessageId, bodyMD5: sent.MD5OfMessageBody })),
      failed: Failed.map((one) => new SQSServiceError(one.Message, one.Code, 'SendMessageBatch')),
    };
  }
  async receiveMessages(queueUrl, attributeNames = ['All'], systemAttributeNames = ['All'], most = 1, visibilityTimeout = 30, waitTimeSeconds = 10, attemptId) {
    const { Messages = [] } = await this.ask('ReceiveMessage', given({
      QueueUrl: queueUrl,
      MaxNumberOfMessages: most,
      MessageAttributeNames: attributeNames,
      MessageSystemAttributeNames: systemAttributeNames,
      VisibilityTimeout: visibilityTimeout,
      WaitTimeSeconds: waitTimeSeconds,
      ReceiveRequestAttemptId: attemptId,
    }));
    return Messages.map((m) => ({ id: m.MessageId, BodyMD5: m.MD5OfBody, ReceiptHandle: m.ReceiptHandle, Body: m.Body, Attributes: m.Attributes ?? {} }));
  }
  async deleteMessage(queueUrl, receiptHandle) {
    await this.ask('DeleteMessage', { QueueUrl: queueUrl, ReceiptHandle: receiptHandle });
  }
  async listQueues({ maxResults, nextToken, queueNamePrefix } = {}) {
    const body = given({ MaxResults: maxResults, NextToken: nextToken, QueueNamePrefix: queueNamePrefix });
    const { QueueUrls: urls = [], NextToken } = await this.ask('ListQueues', body);
    return { urls, nextToken: NextToken };
  }
}

function message(body, { messageDeduplicationId, messageGroupId, messageAttributes, delaySeconds } = {}) {
  const value = ({ type, value }) => ({ DataType: type, [type === 'Binary' ? 'BinaryValue' : 'StringValue']: value });
  const attributes = messageAttributes && Object.fromEntries(Object.entries(messageAttributes).map(([name, one]) => [name, value(one)]));
  return given({
    MessageBody: body,
    MessageDeduplicationId: messageDeduplicationId,
    MessageGroupId: messageGroupId,
    MessageAttributes: attributes,
    DelaySeconds: delaySeconds,
  });
}

/** A function that failed, with what it answered. */
export class LambdaInvocationError extends Error {
  constructor(message, response) {
    super(`${message}: ${response.payload}`);
    this.name = 'LambdaInvocationError';
    this.response = response;
  }
}

export class LambdaClient extends AWSClient {
  constructor(awsConfig) {
    super(awsConfig, 'lambda');
  }
  async invoke(name, payload, { invocationType = 'RequestResponse', logType = 'None', clientContext, qualifier } = {}) {
    const headers = {
      'Content-Type': 'application/x-amz-json-1.1',
      'x-amz-target': `AWSLambda.${invocationType}`,
      'X-Amz-Invocation-Type': invocationType,
      'X-Amz-Log-Type': logType,
      ...(clientContext && { 'X-Amz-Client-Context': clientContext }),
    };
    const path = `/2015-03-31/functions/${encodeURIComponent(name)}/invocations`;
    const answer = await this.send('Invoke', { method: 'POST', path, query: given({ Qualifier: qualifier }), headers, body: payload || '' });
    const log = answer.headers['X-Amz-Log-Result'];
    const response = {
      executedVersion: answer.headers['X-Amz-Executed-Version'],
      logResult: log ? b64decode(log, 'std', 's') : undefined,
      statusCode: answer.status,
      payload: answer.body,
    };
    const failure = answer.headers['X-Amz-Function-Error'];
    if (failure) throw new LambdaInvocationError(failure, response);
    return response;
  }
  refusal(response) {
    const error = AWSError.parse(response);
    const unsigned = ['AuthorizationHeaderMalformed', 'InvalidSignatureException'].includes(error.code);
    return unsigned ? new InvalidSignatureError(error.message, error.code) : error;
  }
}

export const EventBridgeServiceError = serviceError('EventBridgeServiceError');

export class EventBridgeClient extends AWSClient {
  constructor(awsConfig) {
    super(awsConfig, 'events', { ServiceError: EventBridgeServiceError });
  }
  async putEvents(input) {
    const Entries = input.Entries.map((entry) => ({ ...entry, Detail: JSON.stringify(entry.Detail) }));
    await this.call('AWSEvents', 'PutEvents', { ...input, Entries });
  }
}

export const KinesisServiceError = serviceError('KinesisServiceError');

export class KinesisClient extends AWSClient {
  constructor(awsConfig) {
    super(awsConfig, 'kinesis', { ServiceError: KinesisServiceError, signing: { applyChecksum: true } });
  }
  ask(operation, body) {
    return this.call('Kinesis_20131202', operation, given(body));
  }
  async createStream(streamName, { shardCount, streamModeDetails } = {}) {
    const mode = streamModeDetails && { StreamMode: streamModeDetails.streamMode };
    await this.ask('CreateStream', { StreamName: streamName, ShardCount: shardCount, StreamModeDetails: mode });
  }
  async deleteStream(streamName, { streamARN, enforceConsumerDeletion } = {}) {
    await this.ask('DeleteStream', { StreamName: streamName, StreamARN: streamARN, EnforceConsumerDeletion: enforceConsumerDeletion });
  }
  async listStreams({ exclusiveStartStreamName, limit, nextToken } = {}) {
    const list = await this.ask('ListStreams', { ExclusiveStartStreamName: exclusiveStartStreamName, Limit: limit, NextToken: nextToken });
    const summary = (s) => ({
      streamARN: s.StreamARN,
      streamCreationTimestamp: s.StreamCreationTimestamp,
      streamModeDetails: s.StreamModeDetails,
      streamName: s.StreamName,
      streamStatus: s.StreamStatus,
    });
    return {
      hasMoreStreams: list.HasMoreStreams ?? false,
      nextToken: list.NextToken ?? '',
      streamNames: list.StreamNames ?? [],
      streamSummaries: (list.StreamSummaries ?? []).map(summary),
    };
  }
  async putRecords(records, { streamName, streamARN } = {}) {
    if (!streamName && !streamARN) throw new Error('Either streamName or streamARN must be provided');
    const done = await this.ask('PutRecords', { Records: records, StreamName: streamName, StreamARN: streamARN });
    return {
      encryptionType: done.EncryptionType ?? 'NONE',
      failedRecordCount: done.FailedRecordCount ?? 0,
      records: (done.Records ?? []).map((one) => ({ sequenceNumber: one.SequenceNumber, shardId: one.ShardId })),
    };
  }
  async getRecords(shardIterator, { limit, streamARN } = {}) {
    const found = await this.ask('GetRecords', { ShardIterator: shardIterator, Limit: limit, StreamARN: streamARN });
    return {
      nextShardIterator: found.NextShardIterator ?? '',
      records: (found.Records ?? []).map((one) => ({ data: one.Data, partitionKey: one.PartitionKey, sequenceNumber: one.SequenceNumber })),
      millisBehindLatest: found.MillisBehindLatest ?? 0,
    };
  }
  async listShards(streamName, { nextToken, maxResults } = {}) {
    const { Shards = [], NextToken } = await this.ask('ListShards', { StreamName: streamName, NextToken: nextToken, MaxResults: maxResults });
    const shard = (s) => ({
      id: s.ShardId,
      parentShardId: s.ParentShardId,
      adjacentParentShardId: s.AdjacentParentShardId,
      hashKeyRange: s.HashKeyRange,
      sequenceNumberRange: s.SequenceNumberRange,
    });
    return { shards: Shards.map(shard), nextToken: NextToken };
  }
  async getShardIterator(streamName, shardId, shardIteratorType, { startingSequenceNumber, timestamp } = {}) {
    const { ShardIterator: shardIterator } = await this.ask('GetShardIterator', {
      StreamName: streamName,
      ShardId: shardId,
      ShardIteratorType: shardIteratorType,
      StartingSequenceNumber: startingSequenceNumber,
      Timestamp: timestamp,
    });
    return { shardIterator };
  }
}

export const DynamoDBServiceError = serviceError('DynamoDBServiceError');

/** Options of DynamoDB's calls are its own, with a small letter in front. */
const capital = (options) => Object.fromEntries(Object.entries(options).map(([name, value]) => [name[0].toUpperCase() + name.slice(1), value]));

export class DynamoDBClient extends AWSClient {
  constructor(awsConfig) {
    super(awsConfig, 'dynamodb', { ServiceError: DynamoDBServiceError, signing: { applyChecksum: true } });
  }
  ask(operation, body, options) {
    return this.call('DynamoDB_20120810', operation, given({ ...body, ...capital(options) }), '1.0');
  }
  async putItem(tableName, item, options = {}) {
    return (await this.ask('PutItem', { TableName: tableName, Item: item }, options)).Attributes;
  }
  async getItem(tableName, key, options = {}) {
    return (await this.ask('GetItem', { TableName: tableName, Key: key }, options)).Item;
  }
  async deleteItem(tableName, key, options = {}) {
    return (await this.ask('DeleteItem', { TableName: tableName, Key: key }, options)).Attributes;
  }
  async updateItem(tableName, key, updateExpression, options = {}) {
    const body = { TableName: tableName, Key: key, UpdateExpression: updateExpression };
    return (await this.ask('UpdateItem', body, options)).Attributes;
  }
  async query(tableName, keyConditionExpression, options = {}) {
    return page(await this.ask('Query', { TableName: tableName, KeyConditionExpression: keyConditionExpression }, options));
  }
  async scan(tableName, options = {}) {
    return page(await this.ask('Scan', { TableName: tableName }, options));
  }
}

const page = ({ Items = [], Count = 0, ScannedCount = 0, LastEvaluatedKey }) => ({ items: Items, count: Count, scannedCount: ScannedCount, lastEvaluatedKey: LastEvaluatedKey });
