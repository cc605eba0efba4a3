// Plays the lab's steps with the AWS SDK for JavaScript, which speaks the JSON
// protocol, on the endpoint at SQS_ENDPOINT. Each test has a queue of its own.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import * as sdk from '@aws-sdk/client-sqs';

const endpoint = process.env.SQS_ENDPOINT;
assert.ok(endpoint, 'SQS_ENDPOINT is not set');
const client = new sdk.SQSClient({
  endpoint,
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  maxAttempts: 1,
});

// call.sendMessage({…}) sends a SendMessageCommand, and so on.
const call = new Proxy({}, {
  get: (_, name) => (input) => {
    const Command = sdk[name[0].toUpperCase() + name.slice(1) + 'Command'];
    return client.send(new Command(input));
  },
});

let queues = 0;
const newName = (suffix = '') => `js-${process.pid}-${Date.now()}-${queues++}${suffix}`;

async function createQueue(Attributes, suffix) {
  const { QueueUrl } = await call.createQueue({ QueueName: newName(suffix), Attributes });
  return QueueUrl;
}

async function counts(QueueUrl) {
  const AttributeNames = ['', 'NotVisible', 'Delayed'].map((s) => 'ApproximateNumberOfMessages' + s);
  const { Attributes } = await call.getQueueAttributes({ QueueUrl, AttributeNames });
  return AttributeNames.map((name) => Number(Attributes[name]));
}

const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
const attributes = {
  Percent: { DataType: 'String', StringValue: '100%25 of 50% & <more>' },
  'Name.of-it': { DataType: 'String', StringValue: 'Zoë Müller 東京 😀' },
  Amount: { DataType: 'Number', StringValue: '12345678901234567890.125' },
  Photo: { DataType: 'Binary.png', BinaryValue: bytes },
};

// The MD5 of message attributes as AWS's developer guide defines it; the SDK
// itself checks that of the body only.
function md5OfAttributes(attributes) {
  const hash = createHash('md5');
  const add = (data) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    hash.update(length).update(data);
  };
  for (const name of Object.keys(attributes).sort()) {
    const { DataType, StringValue, BinaryValue } = attributes[name];
    add(Buffer.from(name));
    add(Buffer.from(DataType));
    hash.update(Buffer.from([BinaryValue ? 2 : 1]));
    add(Buffer.from(BinaryValue ?? StringValue));
  }
  return hash.digest('hex');
}

test('the lab: create, produce with a delay, count, consume, purge', async () => {
  const QueueUrl = await createQueue({ DelaySeconds: '5', MessageRetentionPeriod: '86400' });
  assert.ok(QueueUrl.startsWith(endpoint + '/'), QueueUrl);
  assert.deepEqual(await counts(QueueUrl), [0, 0, 0]);
  const donors = ['Harper Pierce', 'Lois Huber', 'Cecile Hickman'].map((name) => JSON.stringify({ name }));
  for (const MessageBody of donors) {
    await call.sendMessage({
      QueueUrl, MessageBody, DelaySeconds: 1,
      MessageAttributes: {
        JobType: { DataType: 'String', StringValue: 'NewDonor' },
        Producer: { DataType: 'String', StringValue: 'Fast' },
      },
    });
  }
  assert.deepEqual(await counts(QueueUrl), [0, 0, 3]);
  const got = [];
  while (got.length < donors.length) {
    const { Messages = [] } = await call.receiveMessage({
      QueueUrl, MaxNumberOfMessages: 1, VisibilityTimeout: 5, WaitTimeSeconds: 10, MessageAttributeNames: ['All'],
    });
    assert.equal(Messages.length, 1, 'a receive that waits came back empty');
    const [m] = Messages;
    assert.equal(m.MessageAttributes.JobType.StringValue, 'NewDonor');
    assert.equal((await counts(QueueUrl))[1], 1);
    got.push(m.Body);
    await call.deleteMessage({ QueueUrl, ReceiptHandle: m.ReceiptHandle });
  }
  assert.deepEqual(got.sort(), donors.sort());
  assert.deepEqual(await counts(QueueUrl), [0, 0, 0]);

  await call.sendMessage({ QueueUrl, MessageBody: 'unwanted' });
  await call.purgeQueue({ QueueUrl });
  assert.deepEqual(await counts(QueueUrl), [0, 0, 0]);
  await assert.rejects(call.purgeQueue({ QueueUrl }), sdk.PurgeQueueInProgress);
});

test('attributes of every type arrive as they were sent, with the right MD5s', async () => {
  const QueueUrl = await createQueue();
  const body = 'a body with %41, <tags> & "quotes", ä, 😀\nand a second line';
  const sent = await call.sendMessage({ QueueUrl, MessageBody: body, MessageAttributes: attributes });
  assert.equal(sent.MD5OfMessageBody, createHash('md5').update(body).digest('hex'));
  assert.equal(sent.MD5OfMessageAttributes, md5OfAttributes(attributes));
  const { Messages: [m] } = await call.receiveMessage({
    QueueUrl, WaitTimeSeconds: 5, MessageAttributeNames: ['All'], MessageSystemAttributeNames: ['All'],
  });
  assert.equal(m.MessageId, sent.MessageId);
  assert.equal(m.Body, body);
  assert.deepEqual(m.MessageAttributes, attributes);
  assert.equal(m.MD5OfMessageAttributes, md5OfAttributes(attributes));
  assert.equal(m.Attributes.ApproximateReceiveCount, '1');

  await call.changeMessageVisibility({ QueueUrl, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0 });
  const { Messages: [again] } = await call.receiveMessage({ QueueUrl, MessageAttributeNames: ['Name.*', 'Amount'] });
  assert.deepEqual(Object.keys(again.MessageAttributes).sort(), ['Amount', 'Name.of-it']);
  assert.equal(again.MD5OfMessageAttributes, md5OfAttributes({ Amount: attributes.Amount, 'Name.of-it': attributes['Name.of-it'] }));
});

test('a batch has an answer for each entry', async () => {
  const QueueUrl = await createQueue();
  const sent = await call.sendMessageBatch({
    QueueUrl,
    Entries: [
      { Id: 'good', MessageBody: 'one' },
      { Id: 'late', MessageBody: 'two', DelaySeconds: 901 },
      { Id: 'well', MessageBody: 'three', MessageAttributes: attributes },
    ],
  });
  assert.deepEqual(sent.Successful.map((e) => e.Id), ['good', 'well']);
  assert.deepEqual(sent.Failed.map((e) => [e.Id, e.Code, e.SenderFault]), [['late', 'InvalidParameterValue', true]]);
  const { Messages } = await call.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10 });
  assert.deepEqual(Messages.map((m) => m.Body).sort(), ['one', 'three']);
  const deleted = await call.deleteMessageBatch({
    QueueUrl, Entries: Messages.map((m, i) => ({ Id: `${i}`, ReceiptHandle: m.ReceiptHandle })),
  });
  assert.equal(deleted.Successful.length, 2);
  assert.deepEqual(await counts(QueueUrl), [0, 0, 0]);
});

test('a FIFO queue keeps the order and drops duplicates', async () => {
  const QueueUrl = await createQueue({ FifoQueue: 'true', ContentBasedDeduplication: 'true' }, '.fifo');
  const sent = [];
  for (const MessageBody of ['one', 'two', 'three', 'two']) {
    sent.push(await call.sendMessage({ QueueUrl, MessageBody, MessageGroupId: 'donors' }));
  }
  assert.equal(sent[3].MessageId, sent[1].MessageId);
  assert.match(sent[0].SequenceNumber, /^\d{20}$/);
  const got = [];
  for (let i = 0; i < 3; i++) {
    const { Messages: [m] } = await call.receiveMessage({ QueueUrl, MaxNumberOfMessages: 1 });
    const { Messages: none } = await call.receiveMessage({ QueueUrl });
    assert.equal(none, undefined, 'a later message of a group in flight was received');
    got.push(m.Body);
    await call.deleteMessage({ QueueUrl, ReceiptHandle: m.ReceiptHandle });
  }
  assert.deepEqual(got, ['one', 'two', 'three']);
});

test('errors have the names and the codes of SQS', async () => {
  const missing = `${endpoint}/000000000000/${newName()}`;
  await assert.rejects(call.getQueueUrl({ QueueName: newName() }), sdk.QueueDoesNotExist);
  await assert.rejects(call.sendMessage({ QueueUrl: missing, MessageBody: 'lost' }), (e) => {
    assert.ok(e instanceof sdk.QueueDoesNotExist);
    assert.equal(e.Code ?? e.name, 'AWS.SimpleQueueService.NonExistentQueue');
    assert.equal(e.$metadata.httpStatusCode, 400);
    return true;
  });
  const QueueUrl = await createQueue();
  await assert.rejects(call.sendMessage({ QueueUrl, MessageBody: '\u0000' }), sdk.InvalidMessageContents);
  await assert.rejects(call.deleteMessage({ QueueUrl, ReceiptHandle: 'nonsense' }), sdk.ReceiptHandleIsInvalid);
  await assert.rejects(call.sendMessageBatch({ QueueUrl, Entries: [] }), sdk.EmptyBatchRequest);
  await assert.rejects(call.startMessageMoveTask({ SourceArn: 'arn:aws:sqs:us-east-1:000000000000:none' }), sdk.ResourceNotFoundException);
});

test('dead letters are moved back by a move task', async () => {
  const dead = await createQueue();
  const arn = async (QueueUrl) => (await call.getQueueAttributes({ QueueUrl, AttributeNames: ['QueueArn'] })).Attributes.QueueArn;
  const deadArn = await arn(dead);
  const QueueUrl = await createQueue({
    VisibilityTimeout: '0',
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: deadArn, maxReceiveCount: 1 }),
  });
  await call.sendMessage({ QueueUrl, MessageBody: 'hard to digest' });
  await call.receiveMessage({ QueueUrl });
  await call.receiveMessage({ QueueUrl });
  assert.deepEqual(await counts(dead), [1, 0, 0]);
  const { queueUrls } = await call.listDeadLetterSourceQueues({ QueueUrl: dead });
  assert.deepEqual(queueUrls, [QueueUrl]);
  const { TaskHandle } = await call.startMessageMoveTask({ SourceArn: deadArn });
  assert.ok(TaskHandle);
  const { Messages: [m] } = await call.receiveMessage({ QueueUrl, WaitTimeSeconds: 10 });
  assert.equal(m.Body, 'hard to digest');
  const { Results: [task] } = await call.listMessageMoveTasks({ SourceArn: deadArn });
  assert.equal(task.SourceArn, deadArn);
  assert.equal(task.ApproximateNumberOfMessagesMoved, 1);
});
