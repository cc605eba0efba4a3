// Has a verifier of others, sns-validator, check the signatures of SNS on the
// endpoint at SQS_ENDPOINT: of envelopes in queues, and of what is posted to an
// endpoint over HTTP.
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import { after, test } from 'node:test';
import MessageValidator from 'sns-validator';

const endpoint = process.env.SQS_ENDPOINT;
assert.ok(endpoint, 'SQS_ENDPOINT is not set');

// The verifier fetches certificates by https only, so the requests here say that
// they came so, by a proxy, and the fetch goes without it.
https.get = (url, done) => http.get(url.replace('https:', 'http:'), done);
const { host } = new URL(endpoint);
const validator = new MessageValidator(new RegExp(`^${host.replaceAll('.', '\\.')}$`));
const verified = (document) => new Promise((resolve, reject) => {
  validator.validate(document, (error, message) => (error ? reject(error) : resolve(message)));
});

// call makes a request of the Query protocol and returns the text of an element.
async function call(parameters, element) {
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: { 'X-Forwarded-Proto': 'https' },
    body: new URLSearchParams(parameters),
  });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return text.match(`<${element}>([^<]*)<`)?.[1]
    .replace(/&#34;|&quot;/g, '"').replace(/&#39;/g, "'").replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&#x([0-9A-F]+);/gi, (_, hex) => String.fromCodePoint(parseInt(hex, 16))).replace(/&amp;/g, '&');
}

let topics = 0;
async function createTopic(version) {
  const TopicArn = await call({
    Action: 'CreateTopic', Name: `js-${process.pid}-${Date.now()}-${topics++}`,
    'Attributes.entry.1.key': 'SignatureVersion', 'Attributes.entry.1.value': version,
  }, 'TopicArn');
  return TopicArn;
}

const Message = 'Zoë & <Müller> "東京"\n😀';

for (const version of ['1', '2']) {
  test(`envelopes signed by version ${version} verify, and changed ones do not`, async () => {
    const TopicArn = await createTopic(version);
    const name = TopicArn.split(':').pop();
    const QueueUrl = await call({ Action: 'CreateQueue', QueueName: name }, 'QueueUrl');
    await call({ Action: 'Subscribe', TopicArn, Protocol: 'sqs', Endpoint: TopicArn.replace(':sns:', ':sqs:') }, 'SubscriptionArn');
    for (const subject of [{}, { Subject: 'A donor & more' }]) {
      await call({ Action: 'Publish', TopicArn, Message, ...subject }, 'MessageId');
      const body = await call({ Action: 'ReceiveMessage', QueueUrl }, 'Body');
      const message = await verified(body);
      assert.equal(message.Message, Message);
      assert.equal(message.SignatureVersion, version);
      await assert.rejects(verified({ ...JSON.parse(body), Message: 'forged' }), /signature is invalid/);
    }
  });
}

test('what is posted to an endpoint verifies, and its links work', async () => {
  const arrived = [];
  let waiting = () => {};
  const server = http.createServer((request, answer) => {
    let body = '';
    request.on('data', (data) => { body += data; });
    request.on('end', () => {
      arrived.push({ type: request.headers['x-amz-sns-message-type'], body });
      answer.end();
      waiting();
    });
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const next = async () => {
    while (arrived.length === 0) await new Promise((resolve) => { waiting = resolve; });
    return arrived.shift();
  };
  const TopicArn = await createTopic('2');
  await call({ Action: 'Subscribe', TopicArn, Protocol: 'http', Endpoint: `http://127.0.0.1:${server.address().port}/in` }, 'SubscriptionArn');
  const asked = await next();
  assert.equal(asked.type, 'SubscriptionConfirmation');
  const { SubscribeURL } = await verified(asked.body);
  assert.equal((await fetch(SubscribeURL.replace('https:', 'http:'))).status, 200);
  await call({ Action: 'Publish', TopicArn, Message }, 'MessageId');
  const message = await verified((await next()).body);
  assert.equal(message.Message, Message);
  assert.equal((await fetch(message.UnsubscribeURL.replace('https:', 'http:'))).status, 200);
  assert.equal((await next()).type, 'UnsubscribeConfirmation');
});
