import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { maxBatchItems } from '@diq/contracts/investigation-item.ts';
import type { BatchDryRun, ItemAnswer } from '@diq/contracts/item-answer.ts';
import { closeRedis, openFailFastConnection, waitUntilReady } from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { openReceiver, type Receiver } from '../callbacks/test-support/receiver.ts';
import { batchBodyLimitBytes } from '../http/middleware/require-json.ts';
import { callbackEnvironment } from '../test-support/callback-environment.ts';
import { keys } from '../test-support/credentials.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { openRequest } from '../test-support/raw-request.ts';
import {
  expectReplay,
  itRefusesReusedKeys,
  itRefusesUnusableKeys,
  itReplays,
  postOnce,
} from '../test-support/replays.ts';
import { beginCall, makeCall, taskFor } from '../test-support/worker-moves.ts';

describe('POST /v1/batches?dryRun=true', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis, {
    DEFENDER_CALLS_PER_WINDOW: '2',
    DEFENDER_WINDOW: '1h',
    QUOTA_RESERVE_CRITICAL: '0',
  });

  async function foresee(body: object): Promise<BatchDryRun> {
    const response = await intake.post('/v1/batches?dryRun=true', body).expect(200);
    return response.body as BatchDryRun;
  }
  const submit = async (body: object) =>
    (await intake.post('/v1/batches', body).expect(202)).body as { id: string; items: { id: string }[] };

  it('tells what would become of each item and when it would start, and what comes is the same', async () => {
    await submit({ requests: [item(1), item(2, { priority: 'low' }), item(3)] });
    const batch = {
      requests: [
        item(11, { priority: 'low' }),
        item(2),
        item(12),
        'bad',
        item(12),
        item(13, { priority: 'high' }),
      ],
    };
    const foreseen = await foresee(batch);
    assert.equal(foreseen.dryRun, true);
    assert.deepEqual(foreseen.counts, { accepted: 3, coalesced: 2, rejected: 1 });
    const real = await submit(batch);
    const documents = await Promise.all(
      real.items.map(async ({ id }) =>
        id === undefined
          ? undefined
          : ((await intake.get(`/v1/investigations/${id}`).expect(200)).body as Record<string, unknown>),
      ),
    );
    for (const [i, answer] of foreseen.items.entries()) {
      const { index, status, machineId, position, expectedStartAt } = answer as unknown as Record<
        string,
        unknown
      >;
      const {
        index: at,
        status: became,
        machineId: of,
      } = real.items[i] as unknown as Record<string, unknown>;
      assert.deepEqual([index, status, machineId], [at, became, of]);
      assert.equal(position, documents[i]?.['position'], `position of item ${i}`);
      if (status !== 'rejected') assertClose(expectedStartAt, documents[i]?.['expectedStartAt']);
    }
    const joined = foreseen.items[1];
    assert.ok(joined && 'coalescedWith' in joined);
    assert.equal(joined.coalescedWith, documents[1]?.['coalescedWith']);
    assert.ok(foreseen.items[4] && 'coalescedWithIndex' in foreseen.items[4]);
    assert.equal(foreseen.items[4].coalescedWithIndex, 2);
    const { expectedCompletionAt } = (await intake.get(`/v1/batches/${real.id}`)).body as BatchDryRun;
    assertClose(foreseen.expectedCompletionAt, expectedCompletionAt);
  });

  it('tells of what would share a call under way or an investigation that was started', async () => {
    const earlier = await submit({ requests: [item(21), item(22)] });
    await beginCall(intake, machineId(21));
    await makeCall(intake, machineId(22), {
      status: 'started',
      result: { kind: 'investigation', id: '5146' },
      attempts: 1,
    });
    const { items } = await foresee({ requests: [item(21), item(22)] });
    assert.deepEqual(items, [
      { index: 0, machineId: machineId(21), status: 'coalesced', coalescedWith: earlier.items[0]?.id },
      {
        index: 1,
        machineId: machineId(22),
        status: 'coalesced',
        coalescedWith: earlier.items[1]?.id,
        investigationId: '5146',
        result: { kind: 'investigation', id: '5146' },
      },
    ]);
  });

  it('changes nothing in Redis', async () => {
    const connection = openFailFastConnection({
      address: parseRedisUrl(redis.url),
      name: 'dump',
      logger: { info() {}, warn() {} },
    });
    await waitUntilReady(connection, 5_000);
    const dump = async () => {
      // The sign of life of a worker is renewed meanwhile.
      const names = (await connection.keys('*')).filter((name) => !name.endsWith(':workers')).toSorted();
      const contents = await Promise.all(names.map((name) => connection.dumpBuffer(name)));
      return names.map((name, i) => [name, contents[i]?.toString('hex')]);
    };
    try {
      const before = await dump();
      assert.ok(before.length > 10);
      const requests = Array.from({ length: 300 }, (_, n) =>
        item(1 + n, { notAfter: '2099-01-01T00:00:00Z' }),
      );
      await foresee({ requests, defaults: { priority: 'critical', strict: true } });
      await intake.post('/v1/batches?dryRun=true', { requests }).set('Idempotency-Key', 'k').expect(200);
      assert.deepEqual(await dump(), before);
    } finally {
      await closeRedis(connection);
    }
  });

  it('counts in no metric and leaves no line that says it was accepted', async () => {
    const outcomes = async () =>
      (await intake.anonymously().get('/metrics')).text
        .split('\n')
        .filter((line) => line.startsWith('diq_requests_total'));
    const [before, lines] = [await outcomes(), intake.log.length];
    await foresee({ requests: [item(31), 'bad'] });
    expectProblem(await intake.post('/v1/batches?dryRun=true', { requests: ['bad'] }), 'no_acceptable_item');
    assert.deepEqual(await outcomes(), before);
    const since = intake.log.slice(lines).map((line) => line['msg']);
    assert.equal(since.includes('batch accepted'), false);
  });

  it('refuses what a real one would refuse', async () => {
    expectProblem(await intake.post('/v1/batches?dryRun=true', { requests: [{}] }), 'no_acceptable_item');
  });

  it('takes dryRun=false for a real one', async () => {
    await intake.post('/v1/batches?dryRun=false', { requests: [item(41)] }).expect(202);
  });

  it('tells no times while a hold has no end', async () => {
    await intake.ledger.hold('paused', Number.MAX_SAFE_INTEGER / 2);
    const { items, expectedCompletionAt } = await foresee({ requests: [item(51)] });
    assert.ok(items[0] && 'position' in items[0] && !('expectedStartAt' in items[0]));
    assert.equal(expectedCompletionAt, null);
  });
});

/** The same time, but for what passed between the two questions. */
function assertClose(earlier: unknown, later: unknown): void {
  const difference = Date.parse(String(later)) - Date.parse(String(earlier));
  assert.ok(Math.abs(difference) < 5_000, `${String(earlier)} and ${String(later)}`);
}

describe('POST /v1/batches with callbacks', () => {
  const redis = useEmbeddedRedis();
  const environment: Record<string, string> = {};
  let receiver: Receiver;
  before(async () => {
    receiver = await openReceiver();
    Object.assign(environment, callbackEnvironment(receiver.port));
  });
  after(() => receiver.close());
  const intake = useIntake(redis, environment);

  it('calls for each request what its defaults or itself say, and for the batch when all have ended', async () => {
    const response = await intake.post('/v1/batches', {
      requests: [item(1), item(2, { callbackUrl: receiver.url('/own') })],
      defaults: { callbackUrl: receiver.url('/default') },
      callbackUrl: receiver.url('/batch'),
    });
    assert.equal(response.status, 202, response.text);
    const { id } = response.body as { id: string };
    for (const machine of [1, 2]) {
      await makeCall(intake, machineId(machine), {
        status: 'started',
        result: { kind: 'investigation', id: '1' },
        attempts: 1,
      });
    }
    const paths = [await receiver.next(), await receiver.next(), await receiver.next()].map(
      ({ path }) => path,
    );
    assert.deepEqual(paths.toSorted(), ['/batch', '/default', '/own']);
    await waitFor(
      async () => {
        const batch = (await intake.get(`/v1/batches/${id}`)).body as { callback?: { state: string } };
        return batch.callback?.state === 'delivered';
      },
      { what: 'the delivery in the batch' },
    );
  });

  it('refuses the batch for its own callback, and an item for its', async () => {
    const callbackUrl = 'https://other.example/';
    const whole = await intake.post('/v1/batches', { requests: [item(3)], callbackUrl });
    const problem = expectProblem(whole, 'invalid_request');
    assert.equal(problem.errors?.[0]?.path, 'callbackUrl');

    const partly = await intake.post('/v1/batches', { requests: [item(4), item(5, { callbackUrl })] });
    assert.equal(partly.status, 202);
    const { items } = partly.body as { items: { status: string; error?: { errors: { path: string }[] } }[] };
    assert.deepEqual(
      items.map(({ status, error }) => [status, error?.errors[0]?.path]),
      [
        ['accepted', undefined],
        ['rejected', 'callbackUrl'],
      ],
    );
  });
});

const hourMs = 3_600_000;
const inHours = (hours: number) => new Date(Date.now() + hours * hourMs).toISOString();

interface Reply {
  id: string;
  counts: Record<string, number>;
  items: ItemAnswer[];
}

// Two calls an hour: the third starts in an hour, the fifth in two.
describe('POST /v1/batches with deadlines', () => {
  const redis = useEmbeddedRedis();
  const env = { DEFENDER_CALLS_PER_WINDOW: '2', DEFENDER_WINDOW: '1h' };
  // A new intake for each, with a queue of its own.
  describe('that the present estimate meets', () => {
    const intake = useIntake(redis, env);
    it('warns of none', async () => {
      const requests = [1, 2, 3, 4].map((n) => item(n, { notAfter: inHours(n > 2 ? 1.1 : 0.1) }));
      const { items } = (await intake.post('/v1/batches', { requests }).expect(202)).body as Reply;
      assert.equal(
        items.some((answer) => 'warning' in answer),
        false,
      );
    });
  });

  describe('that it does not meet', () => {
    const intake = useIntake(redis, env);
    it('accepts the items, warns of each and tells when it would start', async () => {
      const requests = [1, 2, 3, 4, 5].map((n) => item(n, n === 4 ? {} : { notAfter: inHours(0.5) }));
      const { items } = (await intake.post('/v1/batches', { requests }).expect(202)).body as Reply;
      assert.deepEqual(
        items.map((answer) => ('warning' in answer ? answer.warning?.code : undefined)),
        [undefined, undefined, 'deadline_unlikely', undefined, 'deadline_unlikely'],
      );
      const [third, fifth] = [items[2], items[4]].map((answer) => {
        assert.ok(answer?.status === 'accepted' && answer.warning);
        return Date.parse(answer.warning.expectedStartAt) - Date.now();
      });
      assert.ok(Math.abs((third ?? 0) - hourMs) < 5_000 && Math.abs((fifth ?? 0) - 2 * hourMs) < 5_000);
    });

    it('counts what waits already, and lets a more urgent one through', async () => {
      const requests = [
        item(11, { notAfter: inHours(0.5), priority: 'low' }),
        item(12, { notAfter: inHours(0.5), priority: 'high' }),
        item(1, { notAfter: inHours(0.5), priority: 'low' }),
      ];
      const { items } = (await intake.post('/v1/batches', { requests }).expect(202)).body as Reply;
      assert.deepEqual(
        items.map((answer) => [answer.status, 'warning' in answer]),
        [
          ['accepted', true],
          ['accepted', false],
          // It waits from before, in front of most: but for the urgent one it would be first.
          ['coalesced', false],
        ],
      );
    });
  });

  describe('that it does not meet, and strict items', () => {
    const intake = useIntake(redis, env);
    it('rejects them at once, and those behind them move up', async () => {
      const requests = [
        item(1),
        item(2),
        item(3, { notAfter: inHours(0.5), strict: true }),
        item(4, { notAfter: inHours(1.5), strict: true }),
        item(5, { notAfter: inHours(1.5), strict: true }),
        item(6, { notAfter: inHours(1.5), strict: true }),
      ];
      const { id, counts, items } = (await intake.post('/v1/batches', { requests }).expect(202))
        .body as Reply;
      assert.deepEqual(
        items.map(({ status }) => status),
        ['accepted', 'accepted', 'rejected', 'accepted', 'accepted', 'rejected'],
      );
      assert.deepEqual(counts, { accepted: 4, coalesced: 0, rejected: 2 });
      const rejected = items[2];
      assert.ok(rejected?.status === 'rejected' && rejected.error.code === 'deadline_unreachable');
      assert.equal(rejected.machineId, machineId(3));
      const expected = 'expectedStartAt' in rejected.error ? rejected.error.expectedStartAt : undefined;
      assert.ok(Math.abs(Date.parse(expected ?? '') - Date.now() - hourMs) < 5_000);
      assert.match(rejected.error.message, /^notAfter cannot be met: by the present estimate .*Z\.$/);
      const kept = (await intake.get(`/v1/batches/${id}/items`).expect(200)).body as { value: ItemAnswer[] };
      assert.deepEqual(kept.value[2], rejected);
    });

    it('takes strict from the defaults of the batch, and does not show it afterwards', async () => {
      const requests = [
        item(11, { notAfter: inHours(0.1) }),
        item(12, { notAfter: inHours(9), strict: false }),
      ];
      const response = await intake.post('/v1/batches', { requests, defaults: { strict: true } }).expect(202);
      const { items } = response.body as Reply;
      assert.deepEqual(
        items.map(({ status }) => status),
        ['rejected', 'accepted'],
      );
      assert.ok(items[1]?.status === 'accepted');
      const document: unknown = (await intake.get(`/v1/investigations/${items[1].id}`).expect(200)).body;
      assert.ok(typeof document === 'object' && document !== null && !('strict' in document));
    });

    it('refuses a batch whose items are all too late, and records nothing of it', async () => {
      const waiting = await intake.tasks.countWaiting();
      const requests = [item(21, { notAfter: inHours(0.1), strict: true })];
      const { errors } = expectProblem(await intake.post('/v1/batches', { requests }), 'no_acceptable_item');
      assert.equal(errors?.[0]?.path, 'requests[0].notAfter');
      assert.equal(await intake.tasks.countWaiting(), waiting);
    });

    it('refuses a strict that is neither true nor false', async () => {
      const { errors } = expectProblem(
        await intake.post('/v1/batches', { requests: [item(22, { strict: 'yes' })] }),
        'no_acceptable_item',
      );
      assert.deepEqual(errors, [{ path: 'requests[0].strict', message: 'must be true or false' }]);
    });
  });

  describe('repeated after its answer was lost, when a strict deadline cannot be met any more', () => {
    const intake = useIntake(redis, env);

    it('does not refuse what the first attempt recorded, also what joined or ended, and refuses others like it', async () => {
      const strict = { notAfter: inHours(0.5), strict: true };
      await intake.post('/v1/batches', { requests: [item(2, { priority: 'low' })] }).expect(202);
      // The third is refused at once, and again each time.
      const requests = [item(1, strict), item(2, strict), item(9, strict)];
      const key = randomUUID();
      const first = (await postOnce(intake, '/v1/batches', { requests }, key).expect(202)).body as Reply;
      assert.deepEqual(first.counts, { accepted: 1, coalesced: 1, rejected: 1 });
      const [record = ''] = await redis.client.keys('*:idempotency:*');
      const repeat = async () => {
        assert.equal(await redis.client.hdel(record, 'answer'), 1);
        const again = (await postOnce(intake, '/v1/batches', { requests }, key).expect(202)).body as Reply;
        const idsOf = ({ id, items }: Reply) => [id, ...items.map((one) => 'id' in one && one.id)];
        assert.deepEqual(idsOf(again), idsOf(first));
      };
      const urgent = [3, 4].map((n) => item(n, { priority: 'critical' }));
      await intake.post('/v1/batches', { requests: urgent }).expect(202);
      await repeat();

      const like = [item(5), item(6, strict), item(2, strict)];
      const other = (await intake.post('/v1/batches', { requests: like }).expect(202)).body as Reply;
      assert.deepEqual(
        other.items.map(({ status }) => status),
        ['accepted', 'rejected', 'rejected'],
      );
      await makeCall(intake, machineId(1), {
        status: 'started',
        result: { kind: 'investigation', id: '5146' },
        attempts: 1,
      });
      await repeat();
      assert.equal(await intake.tasks.countWaiting(), 4);
    });
  });

  describe('while a hold has no end', () => {
    const intake = useIntake(redis, env);
    it('neither warns nor rejects: the start is unknown', async () => {
      await intake.ledger.hold('paused', Number.MAX_SAFE_INTEGER / 2);
      const requests = [item(1, { notAfter: inHours(0.1), strict: true })];
      const { items } = (await intake.post('/v1/batches', { requests }).expect(202)).body as Reply;
      assert.ok(items[0]?.status === 'accepted' && !('warning' in items[0]));
    });
  });
});

interface ManyRefused {
  id: string;
  counts: Record<string, number>;
  refusalsWithoutFault?: number;
  items: { index: number; status: string; error?: { code: string; errors: unknown[] } }[];
}

describe('POST /v1/batches with one good item and 9,999 bad ones', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis);

  it('stores and answers a few bytes of each, and says of how many it does not tell the fault', async function () {
    this.timeout(30_000);
    const bad = Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`${'k'.repeat(60)}${i}`, 1]));
    const requests = [item(1), ...Array.from({ length: 9_999 }, () => bad)];
    const usedBytes = async () =>
      Number(/used_memory:(\d+)/.exec(await redis.client.info('memory'))?.[1] ?? Number.NaN);
    const before = await usedBytes();
    const response = await intake.post('/v1/batches', { requests }).expect(202);
    const stored = (await usedBytes()) - before;
    assert.ok(stored < 3 * 1_024 * 1_024, `${stored} bytes stored`);
    assert.ok(response.text.length < 3 * 1_024 * 1_024, `${response.text.length} bytes answered`);

    const { id, counts, refusalsWithoutFault = 0, items } = response.body as ManyRefused;
    assert.equal(counts['rejected'], 9_999);
    const withoutFault = items.filter(({ error }) => error?.errors.length === 0);
    assert.ok(refusalsWithoutFault > 0);
    assert.equal(withoutFault.length, refusalsWithoutFault);
    const page = async (cursor: string) =>
      (await intake.get(`/v1/batches/${id}/items?limit=1000${cursor}`).expect(200)).body as {
        value: ManyRefused['items'];
        nextLink: string;
      };
    const first = await page('');
    assert.deepEqual(first.value.slice(1), items.slice(1, 1_000));
    let last = first;
    while (last.nextLink) last = await page(`&${last.nextLink.split('&')[1] ?? ''}`);
    assert.deepEqual(last.value, items.slice(-last.value.length));

    const dry = await intake.post('/v1/batches?dryRun=true', { requests }).expect(200);
    assert.equal((dry.body as ManyRefused).refusalsWithoutFault, refusalsWithoutFault);
  });
});

describe('POST /v1/batches with an Idempotency-Key', () => {
  const intake = useIntake(useEmbeddedRedis());
  itReplays(intake, '/v1/batches', (number: number) => ({
    requests: [item(number), item(number + 100), item(number), 7],
  }));
});

interface Accepted {
  id: string;
  status: string;
  counts: Record<string, number>;
  items: ItemAnswer[];
}

describe('POST /v1/batches with acceptable items', () => {
  const intake = useIntake(useEmbeddedRedis());

  async function submit(body: object): Promise<Accepted> {
    const response = await intake.post('/v1/batches', body).expect(202);
    return response.body as Accepted;
  }

  it('tells the id of the batch, where it can be asked for, and what became of each item in input order', async () => {
    const response = await intake.post('/v1/batches', { requests: [item(1), item(2), item(3)] }).expect(202);
    const { id, status, counts, items } = response.body as Accepted;
    assert.equal(status, 'running');
    assert.deepEqual(counts, { accepted: 3, coalesced: 0, rejected: 0 });
    assert.deepEqual(
      items.map(({ index, machineId, status }) => ({ index, machineId, status })),
      [1, 2, 3].map((number, index) => ({ index, machineId: machineId(number), status: 'accepted' })),
    );
    assert.equal(response.headers['location'], `/v1/batches/${id}`);
    assert.equal(response.headers['operation-location'], `/v1/batches/${id}`);
    assert.match(response.headers['retry-after'] ?? '', /^[1-9]\d*$/);
  });

  it('has every accepted request recorded, with a task that waits, when it answers', async () => {
    const { items } = await submit({ requests: [item(11), item(12)] });
    for (const answer of items) {
      assert.ok(answer.status === 'accepted');
      await intake.get(`/v1/investigations/${answer.id}`).expect(200);
      await taskFor(intake, answer.machineId ?? '');
    }
  });

  it('lets a bad item reject itself and not the batch, and says in words what is wrong with it', async () => {
    const { counts, items } = await submit({
      requests: [
        item(21),
        { ...item(22), machineId: 'ws-042.corp' },
        { comment: 'x', priorty: 'high' },
        7,
        item(23),
      ],
    });
    assert.deepEqual(counts, { accepted: 2, coalesced: 0, rejected: 3 });
    assert.deepEqual(
      items.map(({ status }) => status),
      ['accepted', 'rejected', 'rejected', 'rejected', 'accepted'],
    );
    const [, hostName, misspelt, number] = items;
    assert.ok(
      hostName?.status === 'rejected' && misspelt?.status === 'rejected' && number?.status === 'rejected',
    );
    assert.equal(hostName.machineId, 'ws-042.corp');
    assert.equal(hostName.error.code, 'invalid_item');
    assert.match(
      hostName.error.message,
      /^machineId must be a Defender machine id: 32 or 40 hexadecimal.*\.$/,
    );
    assert.deepEqual(misspelt.error.errors, [{ path: 'machineId', message: 'is required' }]);
    assert.equal(misspelt.error.furtherFaults, 1);
    assert.equal(misspelt.error.message, 'machineId is required; and 1 more.');
    assert.equal(hostName.error.furtherFaults, undefined);
    assert.match(number.error.message, /^the item: /);
  });

  it('echoes a machine id that is none only while it is short', async () => {
    const { items } = await submit({
      requests: [
        item(31),
        { ...item(32), machineId: 'x'.repeat(64) },
        { ...item(33), machineId: 'x'.repeat(65) },
      ],
    });
    assert.equal(items[1]?.machineId, 'x'.repeat(64));
    assert.ok(items[2] && !('machineId' in items[2]));
  });

  it('fills in the defaults of the batch where an item says nothing', async () => {
    const { items } = await submit({
      requests: [{ machineId: machineId(41) }, item(42, { source: 'xsoar' })],
      defaults: { comment: 'from the playbook', source: 'sentinel', priority: 'high' },
    });
    const documents = await Promise.all(
      items.map(async (answer) => {
        assert.ok(answer.status === 'accepted');
        return (await intake.get(`/v1/investigations/${answer.id}`)).body as Record<string, unknown>;
      }),
    );
    assert.deepEqual(
      documents.map(({ comment, source, priority }) => [comment, source, priority]),
      [
        ['from the playbook', 'sentinel', 'high'],
        ['Suspicious process tree', 'xsoar', 'high'],
      ],
    );
  });

  it('lets the second of two items for one machine join the first, whatever the case of the id', async () => {
    const { counts, items } = await submit({
      requests: [item(0xabc), { ...item(0xabc), machineId: machineId(0xabc).toUpperCase() }],
    });
    assert.deepEqual(counts, { accepted: 1, coalesced: 1, rejected: 0 });
    const [first, second] = items;
    assert.ok(first?.status === 'accepted' && second?.status === 'coalesced');
    assert.equal(second.coalescedWith, first.id);
  });

  it('lets items join what waits from an earlier batch', async () => {
    const earlier = await submit({ requests: [item(51)] });
    const { counts, items } = await submit({ requests: [item(51), item(52)] });
    assert.deepEqual(counts, { accepted: 1, coalesced: 1, rejected: 0 });
    const [first] = earlier.items;
    assert.ok(first?.status === 'accepted' && items[0]?.status === 'coalesced');
    assert.equal(items[0].coalescedWith, first.id);
  });

  it('takes the largest batch there is', async () => {
    const requests = Array.from({ length: maxBatchItems }, (_, number) => item(1_000_000 + number));
    const { id, counts, items } = await submit({ requests });
    assert.deepEqual(counts, { accepted: maxBatchItems, coalesced: 0, rejected: 0 });
    assert.equal(items.at(-1)?.machineId, requests.at(-1)?.machineId);
    const batch = (await intake.get(`/v1/batches/${id}`)).body as Accepted;
    assert.equal(batch.counts['queued'], maxBatchItems);
  }).timeout(60_000);

  it('logs a batch in one line at info, without a line per request', async () => {
    const { id } = await submit({ requests: [item(61), item(62), 7] });
    const lines = intake.log.filter((line) => line['batchId'] === id);
    const [summary, ...others] = lines;
    assert.deepEqual(
      [summary?.['level'], summary?.['msg'], summary?.['counts']],
      ['info', 'batch accepted', { accepted: 2, coalesced: 0, rejected: 1 }],
    );
    assert.deepEqual(
      others.map((line) => [line['level'], line['index']]),
      [0, 1, 2].map((index) => ['debug', index]),
    );
  });
});

describe('POST /v1/batches with a dryRun that is neither true nor false', () => {
  const intake = useIntake(useEmbeddedRedis());

  for (const query of [
    'dryRun=',
    'dryRun=1',
    'dryRun=True',
    'dryRun=yes',
    'dryRun',
    'dryRun=true&dryRun=true',
  ]) {
    it(`refuses ?${query} and records nothing`, async () => {
      const response = await intake.post(`/v1/batches?${query}`, { requests: [item(1)] });
      const problem = expectProblem(response, 'invalid_request');
      assert.deepEqual(problem.errors, [{ path: 'dryRun', message: 'must be true or false' }]);
      assert.deepEqual(await intake.tasks.waitingPage(0, 1), []);
    });
  }
});

describe('POST /v1/batches with an Idempotency-Key that is none', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesUnusableKeys(intake, '/v1/batches', { requests: [item(1)] });
});

const megabyte = 1_024 * 1_024;

describe('POST /v1/batches with what no batch can be', () => {
  const intake = useIntake(useEmbeddedRedis());

  const shapes: [string, string, RegExp][] = [
    ['millions of empty objects', '{},', /more than 400000 values/],
    ['millions of empty arrays', '[],', /more than 400000 values/],
    ['millions of numbers', '0,', /more than 400000 values/],
    ['brackets inside one another', '[', /nested deeper/],
    ['an object of very many fields', `{${'"a":0,'.repeat(2_033)}"a":0},`, /more fields than/],
  ];
  for (const [name, piece, detail] of shapes) {
    it(`refuses ${name}, in gzip too, before anything is made of it`, async () => {
      const text = `{"requests":[${piece.repeat(Math.ceil((2 * megabyte) / piece.length))}`;
      for (const [body, headers] of [
        [text, {}],
        [gzipSync(text, { level: 1 }), { 'Content-Encoding': 'gzip' }],
      ] as const) {
        const response = await intake.postRaw('/v1/batches', body, headers);
        const problem = response.body as { code: string; detail: string };
        // Brackets alone grow by more than is taken.
        if (problem.code === 'body_too_large') continue;
        assert.equal(problem.code, 'invalid_request');
        assert.match(problem.detail, detail);
      }
    });
  }

  const codings = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync };
  for (const [coding, compress] of Object.entries(codings)) {
    it(`refuses what grows by more than 200 times in ${coding}`, async () => {
      const padded = JSON.stringify({ requests: [item(1)] }).padEnd(16 * megabyte);
      const response = await intake.postRaw('/v1/batches', compress(padded), { 'Content-Encoding': coding });
      assert.match(expectProblem(response, 'body_too_large').detail ?? '', /200 times/);
    });

    it(`takes in ${coding} what grows as much as items do that share a long comment`, async () => {
      const comment = randomBytes(2_000).toString('hex');
      const requests = Array.from({ length: 500 }, () => ({
        machineId: randomBytes(20).toString('hex'),
        comment,
      }));
      const packed = compress(JSON.stringify({ requests }));
      const response = await intake.postRaw('/v1/batches', packed, { 'Content-Encoding': coding });
      assert.equal(response.status, 202, response.text);
    });
  }
});

describe('POST /v1/batches with something that is no batch', () => {
  const intake = useIntake(useEmbeddedRedis());

  const envelopes: [string, object, string][] = [
    ['no requests', {}, 'requests'],
    ['requests that are no array', { requests: 'all' }, 'requests'],
    ['an empty array', { requests: [] }, 'requests'],
    ['more than 10,000 items', { requests: Array.from({ length: 10_001 }, () => 1) }, 'requests'],
    ['an unknown field', { requests: [item(1)], dryrun: true }, 'dryrun'],
    ['unusable defaults', { requests: [item(1)], defaults: { priority: 'urgent' } }, 'defaults.priority'],
    ['a machine for all', { requests: [item(1)], defaults: { machineId: 'x' } }, 'defaults.machineId'],
    ['an array', [item(1)], ''],
  ];
  for (const [name, body, path] of envelopes) {
    it(`refuses ${name} and names the field`, async () => {
      const problem = expectProblem(await intake.post('/v1/batches', body), 'invalid_request');
      assert.deepEqual(
        problem.errors?.map((fault) => fault.path),
        [path],
      );
      assert.ok(problem.detail);
    });
  }

  it('refuses a batch without one acceptable item, telling the first fault of its first 20', async () => {
    const bad = { machineId: 'ws-042', comment: '' };
    const response = await intake.post('/v1/batches', { requests: Array.from({ length: 25 }, () => bad) });
    const { errors = [] } = expectProblem(response, 'no_acceptable_item');
    assert.deepEqual(
      errors.map(({ path }) => path),
      Array.from({ length: 20 }, (_, index) => `requests[${index}].machineId`),
    );
  });

  it('records nothing of a batch that it refuses', async () => {
    await intake.post('/v1/batches', { requests: [{}] }).expect(400);
    assert.deepEqual(await intake.tasks.waitingPage(0, 1), []);
  });

  it('tells malformed JSON from an unacceptable request', async () => {
    expectProblem(await intake.postRaw('/v1/batches', '{"requests": ['), 'malformed_json');
  });

  it('refuses JSON that is no object, and a body of no bytes', async () => {
    expectProblem(await intake.postRaw('/v1/batches', '"requests"'), 'invalid_request');
    expectProblem(await intake.postRaw('/v1/batches', ' null '), 'invalid_request');
    expectProblem(await intake.postRaw('/v1/batches', ''), 'invalid_request');
  });

  it('refuses a body that was not compressed the way it says', async () => {
    const response = await intake.postRaw('/v1/batches', '{}', { 'Content-Encoding': 'gzip' });
    expectProblem(response, 'invalid_request');
  });
});

describe('POST /v1/batches with an Idempotency-Key whose first request is under way', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis);

  it('is refused with the time to wait, and afterwards gets the first answer', async () => {
    const [key, body] = [randomUUID(), { requests: Array.from({ length: 4_000 }, (_, n) => item(n)) }];
    const underWay = postOnce(intake, '/v1/batches', body, key).then((response) => response);
    await waitFor(async () => (await redis.client.keys('*:idempotency:*')).length, {
      what: 'the first request to have the key',
      intervalMs: 2,
    });
    const refused = await postOnce(intake, '/v1/batches', body, key);
    expectProblem(refused, 'idempotency_in_flight');
    assert.equal(refused.headers['retry-after'], '5');
    const first = await underWay;
    assert.equal(first.status, 202);
    expectReplay(await postOnce(intake, '/v1/batches', body, key), first);
  }).timeout(60_000);
});

describe('POST /v1/batches with too large a body', () => {
  const intake = useIntake(useEmbeddedRedis());
  const acceptable = JSON.stringify({ requests: [item(1)] });

  it('takes a body of the very limit and refuses one byte more, telling the limit', async () => {
    await intake.postRaw('/v1/batches', acceptable.padEnd(batchBodyLimitBytes)).expect(202);
    const response = await intake.postRaw('/v1/batches', acceptable.padEnd(batchBodyLimitBytes + 1));
    const problem = expectProblem(response, 'body_too_large');
    assert.match(problem.detail ?? '', new RegExp(String(batchBodyLimitBytes)));
  });

  it('counts the bytes after decompression', async () => {
    const bomb = gzipSync(acceptable.padEnd(batchBodyLimitBytes + 1));
    const response = await intake.postRaw('/v1/batches', bomb, { 'Content-Encoding': 'gzip' });
    expectProblem(response, 'body_too_large');
  });
});

describe('POST /v1/batches with something other than JSON', () => {
  const intake = useIntake(useEmbeddedRedis());
  const acceptable = JSON.stringify({ requests: [item(1)] });

  for (const contentType of ['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'json']) {
    it(`refuses ${contentType}`, async () => {
      const response = await intake.postRaw('/v1/batches', acceptable, { 'Content-Type': contentType });
      expectProblem(response, 'unsupported_media_type');
    });
  }

  it('refuses a charset and an encoding that it cannot read', async () => {
    for (const headers of [
      { 'Content-Type': 'application/json; charset=iso-8859-1' },
      { 'Content-Encoding': 'compress' },
    ]) {
      expectProblem(await intake.postRaw('/v1/batches', acceptable, headers), 'unsupported_media_type');
    }
  });

  it('takes JSON with its charset named, and compressed', async () => {
    const charset = { 'Content-Type': 'application/json; charset=utf-8' };
    await intake.postRaw('/v1/batches', acceptable, charset).expect(202);
    await intake.postRaw('/v1/batches', gzipSync(acceptable), { 'Content-Encoding': 'gzip' }).expect(202);
  });
});

describe('POST /v1/batches with an Idempotency-Key of another request', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesReusedKeys(intake, '/v1/batches', (number: number) => ({
    requests: [item(number), item(number + 100), item(number), 7],
  }));
});

const small = JSON.stringify({ requests: [item(1)] });

describe('POST /v1/batches while large bodies are in hand', () => {
  const intake = useIntake(useEmbeddedRedis());
  const begin = (key: string, megabytes: number) =>
    openRequest(intake.url, 'POST /v1/batches', {
      'X-API-Key': key,
      'Content-Type': 'application/json',
      'Content-Length': megabytes * megabyte,
    });

  /** The answer to a body of so many bytes of which none is sent; `undefined` where it is awaited. */
  async function refusalOf(megabytes: number) {
    const request = await begin(keys.playbook, megabytes);
    const answer = await Promise.race([request.answered, intake.get('/v1/quota').then(() => undefined)]);
    request.close();
    return answer;
  }

  it('is answered 503 with Retry-After before anything of it is read, and taken when there is room again', async () => {
    const first = await begin(keys.playbook, 60);
    const { status, head } = await waitFor(() => refusalOf(30), { what: 'the second to be refused' });
    assert.equal(status, 503);
    assert.match(head, /^retry-after: 5$/im);
    first.close();
    await waitFor(async () => (await refusalOf(30)) === undefined, { what: 'room to be there again' });
  });

  it('has a small one of the same caller, and of every other caller, taken', async () => {
    const first = await begin(keys.playbook, 64);
    await intake.postRaw('/v1/batches', small).expect(202);
    await intake.postRaw('/v1/batches', small, { 'X-API-Key': keys.operator }).expect(202);
    first.close();
  });

  it('counts what is read without being announced', async () => {
    const first = await begin(keys.playbook, 60);
    const unannounced = await openRequest(intake.url, 'POST /v1/batches', {
      'X-API-Key': keys.playbook,
      'Content-Type': 'application/json',
      'Transfer-Encoding': 'chunked',
    });
    const comment = JSON.stringify({ ...item(1), comment: 'x'.repeat(4_000) });
    const items = `${comment},`.repeat(250);
    const chunk = (text: string) => unannounced.send(`${text.length.toString(16)}\r\n${text}\r\n`);
    chunk('{"requests":[');
    for (let sent = 0; sent < 30; sent += 1) chunk(items);
    assert.equal((await unannounced.answered).status, 503);
    first.close();
    unannounced.close();
  });
});

for (const how of ['announced', 'packed'] as const) {
  describe(`POST /v1/batches while another caller's large body is ${how} and its end is not sent`, () => {
    const intake = useIntake(useEmbeddedRedis());
    const begin = (length: number, headers: Readonly<Record<string, string>> = {}) =>
      openRequest(intake.url, 'POST /v1/batches', {
        'X-API-Key': keys.playbook,
        'Content-Type': 'application/json',
        'Content-Length': length,
        ...headers,
      });

    /** Of 60 MB. */
    async function beginLarge() {
      if (how === 'announced') return begin(60 * megabyte);
      const packed = gzipSync(Buffer.alloc(60 * megabyte, randomBytes(8_192)), { level: 1 });
      const request = await begin(packed.length, { 'Content-Encoding': 'gzip' });
      request.send(packed.subarray(0, -8));
      return request;
    }

    it('is taken, and the other is answered 503 with Retry-After', async () => {
      const first = await beginLarge();
      const second = await begin(15 * megabyte);
      const body = JSON.stringify({
        requests: [{ ...item(1), comment: 'x'.repeat(6 * megabyte) }, item(2)],
      });
      // Until the large one has grown so far that both have no room.
      const { status, head } = await waitFor(
        async () => {
          await intake.postRaw('/v1/batches', body, { 'X-API-Key': keys.operator }).expect(202);
          return await Promise.race([first.answered, Promise.resolve(undefined)]);
        },
        { what: 'the large one to give way' },
      );
      assert.equal(status, 503);
      assert.match(head, /^retry-after: 5$/im);
      first.close();
      second.close();
    });
  });
}

describe('POST /v1/batches by a caller without the scope', () => {
  const intake = useIntake(useEmbeddedRedis());

  for (const [name, key, status] of [
    ['without a known key', 'not-a-key', 401],
    ['with a key that may only read', keys.reader, 403],
  ] as const) {
    it(`is refused ${name} before a byte of the body has come`, async () => {
      const request = await openRequest(intake.url, 'POST /v1/batches', {
        'X-API-Key': key,
        'Content-Type': 'application/json',
        'Content-Length': 60 * megabyte,
      });
      assert.equal((await request.answered).status, status);
      request.close();
    });
  }
});
