import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { arrivedAtMs, item, machine } from '@diq/queue/test-support/test-store.ts';
import { createCallbackQueue } from './callback-queue.ts';
import { openCallbackWorld, secretFor, started, type CallbackWorld } from './test-support/callback-world.ts';
import { openReceiver, type Arrival, type Receiver } from './test-support/receiver.ts';

type WorldOptions = Omit<Parameters<typeof openCallbackWorld>[0], 'url' | 'ports'>;
type Said = Parameters<typeof openReceiver>[0];

describe('callbacks', () => {
  const redis = useEmbeddedRedis();
  let receiver: Receiver;
  let world: CallbackWorld;

  beforeEach(() => redis.flush());
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  async function open(said?: Said, options: WorldOptions = {}): Promise<void> {
    receiver = await openReceiver(said);
    world = await openCallbackWorld({ url: redis.url, ports: [receiver.port], ...options });
  }

  async function jobsAndEntries(): Promise<number> {
    const { redis: client } = world.store;
    const entries = await client.llen('test:{queue}:callbacks:due');
    return entries + (await client.keys('test:{queue}:callbacks:request-*')).length;
  }

  const untilState = (id: string, state: string) =>
    waitFor(async () => (await world.stateOf(id))?.state === state, { what: `${state} of ${id}` });

  it('tell the outcome of a request, signed so that the library and plain HMAC find it genuine', async () => {
    await open();
    const id = await world.endRequest({ callbackUrl: receiver.url('/hook?key=s3cret') });
    const { path, headers, body } = await receiver.next();

    assert.equal(path, '/hook?key=s3cret');
    assert.equal(headers['content-type'], 'application/json');
    const event = new Webhook(secretFor(receiver.port)).verify(body, signatureHeaders(headers)) as Record<
      string,
      unknown
    >;
    assert.equal(event['type'], 'request.started');
    assert.ok(Math.abs(Date.parse(String(event['timestamp'])) - Date.now()) < 10_000);
    const { callback: _, ...document } = (await world.store.request(id)).document;
    assert.deepEqual(event['data'], document);

    const key = Buffer.from(secretFor(receiver.port).slice('whsec_'.length), 'base64');
    const signed = `${headers['webhook-id'] as string}.${headers['webhook-timestamp'] as string}.${body}`;
    const signature = `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
    assert.equal(headers['webhook-signature'], signature);

    await untilState(id, 'delivered');
    const state = await world.stateOf(id);
    assert.deepEqual(
      { ...state, lastAttemptAt: '', deliveredAt: '' },
      {
        url: receiver.url(''),
        state: 'delivered',
        attempts: 1,
        lastStatus: 204,
        lastAttemptAt: '',
        deliveredAt: '',
      },
    );
    assert.equal(state?.deliveredAt, state?.lastAttemptAt);
    assert.equal((await world.metric('diq_callbacks_total'))['delivered'], 1);
    const line = world.log.find(({ msg }) => msg === 'callback delivered');
    assert.equal(line?.['callback'], `request-${id}`);
    assert.ok(!JSON.stringify(world.log).includes('s3cret'));
  });

  it('tell every outcome that a request can have, and nothing before it has one', async () => {
    await open();
    const callbackUrl = receiver.url();
    const waiting = await world.accept({ callbackUrl });
    for (const status of ['failed', 'unknown', 'cancelled', 'expired'] as const) {
      await world.endRequest({ callbackUrl }, { status, attempts: 0 });
      const event = JSON.parse((await receiver.next()).body) as { type: string; data: { status: string } };
      assert.deepEqual([event.type, event.data.status], [`request.${status}`, status]);
    }
    // As if a request had been opened again since it was entered.
    await world.store.redis.rpush('test:{queue}:callbacks:due', waiting);
    await waitFor(async () => (await jobsAndEntries()) === 0, { what: 'an empty queue' });
    assert.deepEqual(await world.stateOf(waiting), { url: receiver.url(''), state: 'pending', attempts: 0 });
    assert.equal(receiver.arrivals.length, 4);
  });

  it('tell each requester of a shared call, who asked for it, and no id of the others', async () => {
    await open();
    const id = await world.accept({ callbackUrl: receiver.url('/a') });
    const { machineId } = (await world.store.request(id)).document;
    await world.store.intake.acceptOne(item({ machineId, callbackUrl: receiver.url('/b') }), {
      nowMs: arrivedAtMs,
    });
    await world.store.intake.acceptOne(item({ machineId }), { nowMs: arrivedAtMs });
    await world.end(id);
    const received = [await receiver.next(), await receiver.next()];
    assert.deepEqual(received.map(({ path }) => path).toSorted(), ['/a', '/b']);
    const joined = received.find(({ path }) => path === '/b');
    assert.ok(joined && !joined.body.includes(id));
  });

  it('tell once that a batch is complete, with its counts', async () => {
    await open();
    const rejected = { rejected: { index: 2, error: { code: 'invalid_item' as const, errors: [] } } };
    const { batchId, accepted } = await world.store.intake.acceptBatch(
      [item({ machineId: machine(901) }), item({ machineId: machine(902) }), rejected],
      { nowMs: arrivedAtMs, callbackUrl: receiver.url('/batch') },
    );
    await world.end(accepted[0]!.id);
    assert.equal((await world.store.reader.findBatch(batchId))?.callback?.delivery, undefined);
    await world.end(accepted[1]!.id, { status: 'failed', attempts: 1 });
    const { body, headers } = await receiver.next();
    const event = JSON.parse(body) as { type: string; data: Record<string, unknown> };
    assert.equal(event.type, 'batch.completed');
    assert.match(String(headers['webhook-id']), new RegExp(`^batch-${batchId}-\\d+$`));
    const zero = { queued: 0, dispatching: 0, cancelled: 0, expired: 0, unknown: 0 };
    const { completedAtMs = 0 } = (await world.store.reader.findBatch(batchId)) ?? {};
    assert.deepEqual(event.data, {
      id: batchId,
      createdAt: new Date(arrivedAtMs).toISOString(),
      completedAt: new Date(completedAtMs).toISOString(),
      status: 'completed',
      counts: { total: 3, started: 1, failed: 1, rejected: 1, ...zero },
      results: { running: 0, succeeded: 0, failed: 0, cancelled: 0, unknown: 0 },
      expectedCompletionAt: null,
    });
    await waitFor(
      async () => (await world.store.reader.findBatch(batchId))?.callback?.delivery?.state === 'delivered',
      { what: 'the delivery in the batch' },
    );
    assert.equal(receiver.arrivals.length, 1);
  });

  it('tell once that the result of a request has ended, and all those of its batch, each with an id of its own', async () => {
    await open();
    const { batchId, accepted } = await world.store.intake.acceptBatch(
      [item({ machineId: machine(911), callbackUrl: receiver.url('/one') })],
      { nowMs: arrivedAtMs, callbackUrl: receiver.url('/batch') },
    );
    const id = accepted[0]?.id ?? '';
    const { taskId } = await world.store.request(id);
    await world.store.following.begin(taskId, 'call-1');
    const result = { kind: 'investigation', id: '77' } as const;
    await world.store.following.settle(taskId, 'call-1', { status: 'started', result, attempts: 1 });
    await receiver.next();
    await receiver.next();
    await world.store.results.end(taskId, { outcome: 'succeeded', state: 'Benign', wasRead: true });
    const news = [await receiver.next(), await receiver.next()].map(({ body, headers }) => {
      const { type, data } = JSON.parse(body) as { type: string; data: { id: string } };
      return [type, data.id, String(headers['webhook-id'])];
    });
    assert.deepEqual(
      news.toSorted(([one = ''], [other = '']) => one.localeCompare(other)),
      [
        ['batch.ended', batchId, `batch_ended-${batchId}-ended`],
        ['request.ended', id, `request_ended-${id}-ended`],
      ],
    );
    const isShown = async () => (await world.store.request(id)).document.endCallback?.state === 'delivered';
    await waitFor(isShown, { what: 'the delivery to be shown' });
  });

  it('are tried again after a failure, with the same id and a fresh signature, until they are taken', async () => {
    const statuses = [500, 302, 404, 429, 200];
    await open({
      answer: (n) => ({ status: statuses[n] ?? 200, headers: { location: 'http://127.0.0.1:1/elsewhere' } }),
    });
    const id = await world.endRequest({ callbackUrl: receiver.url() });
    const arrivals: Arrival[] = [];
    for (const _ of statuses) arrivals.push(await receiver.next());
    await untilState(id, 'delivered');
    assert.deepEqual(
      [...new Set(arrivals.map(({ headers }) => headers['webhook-id']))],
      [`request-${id}-started`],
    );
    for (const { headers, body } of arrivals)
      new Webhook(secretFor(receiver.port)).verify(body, signatureHeaders(headers));
    assert.equal((await world.stateOf(id))?.attempts, 5);
    const { retried, delivered } = await world.metric('diq_callbacks_total');
    assert.deepEqual({ retried, delivered }, { retried: 4, delivered: 1 });
  });

  it('are pending or retrying in the document until they are delivered', async () => {
    await open({ answer: (n) => (n === 0 ? { status: 503 } : 'hold') });
    const id = await world.accept({ callbackUrl: receiver.url() });
    assert.equal((await world.stateOf(id))?.state, 'pending');
    await world.end(id);
    await receiver.next();
    const second = await receiver.next();
    const { lastAttemptAt, ...state } = (await world.stateOf(id)) ?? {};
    assert.deepEqual(state, { url: receiver.url(''), state: 'retrying', attempts: 1, lastStatus: 503 });
    assert.ok(Date.parse(String(lastAttemptAt)) <= Date.now());
    second.answer(200);
    await untilState(id, 'delivered');
  });

  it('end with 410, which says that the receiver is gone', async () => {
    await open({ answer: () => ({ status: 410 }) });
    const id = await world.endRequest({ callbackUrl: receiver.url() });
    await untilState(id, 'gone');
    await waitFor(async () => (await world.metric('diq_callbacks_pending'))[''] === 0, { what: 'no job' });
    assert.equal(receiver.arrivals.length, 1);
    assert.equal((await world.metric('diq_callbacks_total'))['gone'], 1);
  });

  it('are given up when their time is over', async () => {
    const timing = { schedule: { delaysMs: [5], giveUpAfterMs: 150 } };
    await open({ answer: () => ({ status: 500 }) }, { timing });
    const id = await world.endRequest({ callbackUrl: receiver.url() });
    await untilState(id, 'failed');
    const { attempts, lastStatus } = (await world.stateOf(id)) ?? {};
    assert.equal(attempts, receiver.arrivals.length);
    assert.ok(attempts !== undefined && attempts >= 2);
    assert.equal(lastStatus, 500);
    assert.equal((await world.metric('diq_callbacks_total'))['failed'], 1);
  });

  it('are not made to a host that is not allowed any more, and made when it is again', async () => {
    await open({}, { settings: { allowedHosts: [] } });
    const id = await world.endRequest({ callbackUrl: receiver.url() });
    await waitFor(async () => (await world.stateOf(id))?.lastError === 'not_allowed', {
      what: 'the refusal',
    });
    await world.close();
    assert.equal(receiver.arrivals.length, 0);
    assert.ok(((await world.metric('diq_callbacks_total'))['refused'] ?? 0) > 0);
    world = await openCallbackWorld({ url: redis.url, ports: [receiver.port] });
    await receiver.next();
    await untilState(id, 'delivered');
  });

  it('are not made to a private address unless that is allowed', async () => {
    await open({}, { settings: { allowPrivate: false } });
    const id = await world.endRequest({ callbackUrl: receiver.url() });
    await waitFor(async () => (await world.stateOf(id))?.lastError === 'address_not_allowed', {
      what: 'the refusal',
    });
    assert.equal(receiver.arrivals.length, 0);
    assert.equal((await world.stateOf(id))?.state, 'retrying');
  });

  it('are delivered once, however often they are entered', async () => {
    await open();
    const id = await world.endRequest({ callbackUrl: receiver.url() });
    await receiver.next();
    await untilState(id, 'delivered');
    await world.store.redis.rpush('test:{queue}:callbacks:due', id, id);
    await waitFor(async () => (await jobsAndEntries()) === 0, { what: 'the entries to be dealt with' });
    const other = await world.endRequest({ callbackUrl: receiver.url() });
    await receiver.next();
    await untilState(other, 'delivered');
    assert.equal(receiver.arrivals.length, 2);
  });

  it('are delivered while Redis is full too', async () => {
    await open();
    const id = await world.accept({ callbackUrl: receiver.url() });
    const { redis: client } = world.store;
    await client.config('SET', 'maxmemory', '1');
    try {
      await world.end(id);
      await receiver.next();
      await untilState(id, 'delivered');
    } finally {
      await client.config('SET', 'maxmemory', '0');
    }
  });

  it('tell news again of a request that was opened and ended again', async () => {
    await open();
    const id = await world.endRequest({ callbackUrl: receiver.url() }, { status: 'failed', attempts: 1 });
    const first = await receiver.next();
    await untilState(id, 'delivered');
    await world.store.redis.hset(`test:{queue}:request:${id}`, { status: started.status });
    await world.store.redis.rpush('test:{queue}:callbacks:due', id);
    const second = await receiver.next();
    assert.equal((JSON.parse(second.body) as { type: string }).type, 'request.started');
    assert.notEqual(first.headers['webhook-id'], second.headers['webhook-id']);
    await untilState(id, 'delivered');
    assert.equal((await world.stateOf(id))?.attempts, 1);
  });

  it('to a host that does not answer keep none to another host waiting', async () => {
    const timing = { closeGraceMs: 20, busyMs: 20 };
    await open({ answer: () => 'hold' });
    const fast = await openReceiver();
    await world.close();
    world = await openCallbackWorld({ url: redis.url, ports: [receiver.port, fast.port], timing });
    // More than are attempted at the same time.
    for (let n = 0; n < 25; n += 1) await world.endRequest({ callbackUrl: receiver.url() });
    await receiver.next();
    const startedAtMs = performance.now();
    await world.endRequest({ callbackUrl: fast.url() });
    await fast.next();
    assert.ok(performance.now() - startedAtMs < 2_000);
    await world.stopDelivering();
    await fast.close();
  });

  it('to many hosts that take long keep none of another caller waiting', async () => {
    const timing = { closeGraceMs: 20, busyMs: 20 };
    await open({ answer: () => 'hold' });
    const slow = await Promise.all([1, 2, 3].map(() => openReceiver({ answer: () => 'hold' })));
    const fast = await openReceiver();
    await world.close();
    const all = [receiver, ...slow];
    const ports = [...all, fast].map(({ port }) => port);
    world = await openCallbackWorld({ url: redis.url, ports, timing });
    for (let n = 0; n < 5; n += 1)
      for (const one of all) await world.endRequest({ callbackUrl: one.url() }, started, 'slow');
    for (const one of all) await one.next();
    const startedAtMs = performance.now();
    await world.endRequest({ callbackUrl: fast.url() }, started, 'other');
    await fast.next();
    assert.ok(performance.now() - startedAtMs < 2_000);
    await world.stopDelivering();
    await Promise.all([fast, ...slow].map((one) => one.close()));
  });

  it('to a host that gets few in a time are all made, however many wait for their turn', async () => {
    await open(undefined, { settings: { maxPerMinute: 2 }, timing: { rateWindowMs: 100, busyMs: 10 } });
    // More than there are slots for attempts at one host.
    const ids = [];
    for (let n = 0; n < 16; n += 1) ids.push(await world.endRequest({ callbackUrl: receiver.url() }));
    for (const id of ids) await untilState(id, 'delivered');
    assert.equal(receiver.arrivals.length, ids.length);
  });

  it('that cannot be read are kept for a process that can, and logged', async () => {
    await open();
    const queue = createCallbackQueue(world.store.redis, 'test:{queue}', () => undefined);
    await queue.add([{ kind: 'parcel' as 'request', id: 'x' }]);
    const line = await waitFor(() => world.log.find(({ msg }) => msg === 'callback could not be attempted'), {
      what: 'the line in the log',
    });
    assert.equal(line['callback'], 'parcel-x');
    assert.equal(await queue.countPending(), 1);
    await queue.close();
  });

  it('stand under the hash tag of their key space, and leave no key for good', async () => {
    await open({ answer: (n) => ({ status: n === 0 ? 500 : 200 }) }, { settings: { maxPerMinute: 1 } });
    const id = await world.endRequest({ callbackUrl: receiver.url() });
    await receiver.next();
    await untilState(id, 'retrying');
    const parts = ['callbacks:request-', 'callbacks:calls:', 'callbacks:turns:', 'callbacks:callers:'];
    const names = await waitFor(
      async () => {
        const found = await world.store.redis.keys('*');
        return parts.every((part) => found.some((name) => name.includes(part))) && found;
      },
      { what: 'a callback that waits for its turn' },
    );
    const foreign = names.filter((name) => !name.startsWith('test:{queue}:'));
    assert.deepEqual(foreign, []);
    for (const name of names.filter((name) => /:callbacks:(?:calls|turns|callers):/.test(name))) {
      assert.ok((await world.store.redis.pttl(name)) > 0, name);
    }
  });

  it('that are under way when the service stops may end', async () => {
    await open({ answer: () => 'hold' });
    const id = await world.endRequest({ callbackUrl: receiver.url() });
    const arrival = await receiver.next();
    const stopped = world.stopDelivering();
    arrival.answer(200);
    assert.equal(await stopped, 'clean');
    assert.equal((await world.stateOf(id))?.state, 'delivered');
  });

  it('that do not end in time when the service stops are handed back, as if never tried', async () => {
    await open({ answer: (n) => (n === 0 ? 'hold' : { status: 200 }) }, { timing: { closeGraceMs: 50 } });
    const id = await world.endRequest({ callbackUrl: receiver.url() });
    const first = await receiver.next();
    await world.close();
    world = await openCallbackWorld({ url: redis.url, ports: [receiver.port] });
    const second = await receiver.next();
    assert.equal(second.headers['webhook-id'], first.headers['webhook-id']);
    await untilState(id, 'delivered');
    assert.equal((await world.stateOf(id))?.attempts, 1);
  });
});

function signatureHeaders(headers: Arrival['headers']): Record<string, string> {
  return Object.fromEntries(
    ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [name, String(headers[name])]),
  );
}
