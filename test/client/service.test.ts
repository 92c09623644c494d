import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { createClient, type DiqClient } from '@diq/client/client.ts';
import { DiqError } from '@diq/client/diq-error.ts';
import type { ClientOptions } from '@diq/client/transport.ts';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item, machineId } from '@diq/intake-api/test-support/items.ts';
import { makeCall } from '@diq/intake-api/test-support/worker-moves.ts';
import { startCuttingProxy, type CuttingProxy } from '@diq/testing/cutting-proxy.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';

describe('the client and the service', () => {
  const intake = useIntake(useEmbeddedRedis());
  const clientOf = (key: keyof typeof keys, more: Partial<ClientOptions> = {}) =>
    createClient({ url: intake.url, credential: keys[key], ...more });
  let client: DiqClient;
  let operator: DiqClient;
  let proxy: CuttingProxy;
  before(async () => {
    client = clientOf('playbook');
    operator = clientOf('operator');
    proxy = await startCuttingProxy(Number(new URL(intake.url).port));
  });
  after(() => proxy.close());

  it('ask once for one thing, also where the answer is lost on the way', async () => {
    const waits: string[] = [];
    const behind = clientOf('playbook', {
      url: `http://127.0.0.1:${proxy.port}`,
      onRetry: ({ call, code }) => waits.push(`${call} ${code}`),
    });
    const cut = proxy.cutAfter(200, 'reply');
    const source = 'lost-answers';
    const answer = await behind.submitRequest(item(1, { source, force: true }));
    await cut;
    assert.deepEqual(waits, ['POST /v1/requests unreachable']);
    const found = await collect(client.listRequests({ source }));
    assert.deepEqual(
      found.map(({ id }) => id),
      [answer.id],
    );
  });

  it('go through all pages of a list, each when it is needed', async () => {
    const requests = Array.from({ length: 7 }, (_, i) => item(100 + i, { source: 'pages' }));
    const batch = await client.submitBatch({ requests });
    const paths: string[] = [];
    const counting = clientOf('reader', { onAnswer: ({ call }) => paths.push(call) });
    const pages = await collect(counting.listBatchItems(batch.id, { limit: 3 }).pages());
    assert.deepEqual(
      pages.map(({ value }) => value.length),
      [3, 3, 1],
    );
    paths.length = 0;
    for await (const { source } of counting.listRequests({ source: 'pages', limit: 2 })) {
      assert.equal(source, 'pages');
      break;
    }
    assert.deepEqual(paths, ['GET /v1/requests']);
  });

  it('wait for an end, and show each look', async () => {
    const { id } = await client.submitBatch({ requests: [item(200)] });
    const looks: string[] = [];
    const waiting = client.waitForBatch(id, {
      everyMs: 1_000,
      onLook({ status }) {
        looks.push(status);
        if (looks.length === 1) void makeCall(intake, machineId(200), failed);
      },
    });
    assert.equal((await waiting).counts.failed, 1);
    assert.deepEqual([looks[0], looks.at(-1)], ['running', 'completed']);
  });

  it('stop waiting at the signal, with its reason, and after the time that was given', async () => {
    const { id } = await client.submitRequest(item(300));
    const stop = new AbortController();
    const reason = new Error('enough');
    const onLook = () => stop.abort(reason);
    await assert.rejects(client.waitForRequest(id, { signal: stop.signal, onLook }), reason);
    await assert.rejects(client.waitForRequest(id, { timeoutMs: 500 }), { code: 'not_ended' });
  });

  it('look once more before the time that was given is over, however long the service asks to wait', async () => {
    const { id } = await client.submitRequest(item(310));
    let looks = 0;
    const looking = clientOf('playbook', {
      async fetch(...call) {
        looks += 1;
        if (looks === 2) await makeCall(intake, machineId(310), failed);
        const answer = await fetch(...call);
        const headers = { 'Retry-After': '3600' };
        return new Response(answer.body, { status: answer.status, headers });
      },
    });
    assert.equal((await looking.waitForRequest(id, { timeoutMs: 2_000 })).status, 'failed');
    assert.equal(looks, 2);
  });

  it('have errors with code, fields and the id of the HTTP request, and without the key', async () => {
    const error = await client
      .submitRequest({ machineId: 'x', comment: '' })
      .catch((thrown: unknown) => thrown);
    assert.ok(error instanceof DiqError);
    assert.deepEqual([error.code, error.status], ['invalid_request', 400]);
    assert.deepEqual(error.errors.map(({ path }) => path).toSorted(), ['comment', 'machineId']);
    assert.ok(intake.log.some(({ httpRequestId }) => httpRequestId === error.httpRequestId));
    assert.ok(!inspect(error, { depth: 9, showHidden: true }).includes(keys.playbook));
  });

  it('act on queue and requests', async () => {
    const { id } = await client.submitRequest(item(400));
    assert.equal((await operator.pauseQueue({ reason: 'A test' })).pause?.by, 'operator');
    assert.equal((await client.getQuota()).pause?.reason, 'A test');
    assert.equal((await operator.resumeQueue()).wasPaused, true);
    const head = await operator.moveToHead(id, { reason: 'A test' });
    assert.equal(head.position, 1);
    assert.equal((await client.listNext({ limit: 1 })).value[0]?.requestId, id);
    const changed = await client.changeRequest(id, { priority: 'critical' });
    assert.ok('priority' in changed && changed.priority === 'critical');
    assert.equal((await client.cancelRequest(id)).status, 'cancelled');
    const { value } = (await collect(operator.listAudit({ limit: 1 }).pages()))[0] ?? { value: [] };
    assert.equal(value[0]?.action, 'cancel');
    const [done] = await collect(client.cancelAll({ source: 'pages' }));
    assert.equal(done?.cancelled, 7);
    const [again] = await collect(client.retryAll({ source: 'pages', status: 'cancelled' }));
    assert.equal(again?.retried, 7);
    for await (const state of client.watchState()) {
      assert.equal(Reflect.get(Object(state), 'tenant'), 'default');
      break;
    }
  });

  it('name tenants, queues and operations', async () => {
    const [tenant] = await collect(client.listTenants());
    const [queue] = await collect(client.listQueues());
    const [operation] = await client.ofTenant('default').listOperations();
    assert.deepEqual([tenant?.name, queue?.tenant, operation?.isAllowed], ['default', 'default', true]);
  });
});

describe('the client and what is no service', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });
  async function answering(listener: RequestListener, more: Partial<ClientOptions> = {}) {
    server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return createClient({ url, credential: 'the-key', ...more });
  }

  it('follow no redirect: the key goes nowhere else', async () => {
    const asked: string[] = [];
    const client = await answering((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(307, { Location: 'http://127.0.0.1:1/elsewhere' }).end();
    });
    await assert.rejects(client.getQuota(), { code: 'redirected', status: 307 });
    assert.deepEqual(asked, ['/v1/quota']);
  });

  it('follow no link to a next page that is no path of the API', async () => {
    const asked: string[] = [];
    const client = await answering((request, response) => {
      asked.push(request.url ?? '');
      response.end(JSON.stringify({ value: [], nextLink: 'http://127.0.0.1:1/v1/requests' }));
    });
    await assert.rejects(collect(client.listRequests()), { code: 'unexpected_answer' });
    assert.equal(asked.length, 1);
  });

  it('read no answer beyond its bound, whatever its length is said to be', async () => {
    const client = await answering(
      (_, response) => {
        const send = () => {
          while (!response.destroyed && response.write('x'.repeat(1_000)));
          response.once('drain', send);
        };
        send();
      },
      { maxAnswerBytes: 10_000 },
    );
    await assert.rejects(client.getQuota(), { code: 'answer_too_large' });
  });

  it('take no page of a proxy for an answer, and wait for no server that is silent', async () => {
    const page = await answering((_, response) => response.end('<html>welcome</html>'));
    await assert.rejects(page.getQuota(), { code: 'unexpected_answer' });
    server?.close();
    const silent = await answering(() => undefined, { callTimeoutMs: 200 });
    await assert.rejects(silent.getQuota(), { code: 'timed_out' });
  });

  it('wait for an end no longer than the time that was given, also where no answer comes', async () => {
    const silent = await answering(() => undefined);
    await assert.rejects(silent.waitForBatch('x', { timeoutMs: 50 }), { code: 'not_ended' });
  });

  it('go on with a newer service, which has more fields and values', async () => {
    const health = { status: 'degraded', version: '9', checks: {}, isNew: true };
    const client = await answering((_, response) => response.end(JSON.stringify(health)));
    assert.deepEqual(await client.getReadiness(), health);
  });

  it('take no URL with a user or another protocol', () => {
    for (const url of ['ftp://service', 'https://user:pass@service', 'service', 'https://service/?x=1'])
      assert.throws(() => createClient({ url, credential: 'k' }), RangeError);
  });
});

/** `Array.fromAsync`, which Node 20 does not have. */
async function collect<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const found: Value[] = [];
  for await (const value of values) found.push(value);
  return found;
}

const error = { code: 'machine_not_found', message: 'Defender does not know it.' } as const;
const failed = { status: 'failed', error, attempts: 1 } as const;
