import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createAuditLog } from './audit-log.ts';
import { createPurge } from './purge.ts';
import { createQueueFigures, lengthStepMs } from './queue-figures.ts';
import { createBulkCancel } from '../requests/bulk-cancel.ts';
import { createBulkRetry } from '../requests/bulk-retry.ts';
import { docFields, joinDoc } from '../requests/stored-request.ts';
import { storeKeys } from '../store-keys.ts';
import {
  arrivedAtMs,
  item,
  keySpace,
  machine,
  openTestStore,
  retentionMs,
} from '../test-support/test-store.ts';
import type { TestStore } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const anna = { name: 'anna', reason: 'to see the numbers' };
const keys = storeKeys(keySpace);
const failed = { status: 'failed', error: { code: 'x', message: 'none such' }, attempts: 1 } as const;

/** The last is one half of a character: it cannot be read back as it was written. */
const sources = [undefined, 'soar', 'edr', 'half \ud800'];
const aSource = fc.constantFrom(...sources);
const aMachine = fc.integer({ min: 1, max: 5 });
const aPick = fc.nat(30);
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('accept'),
      source: aSource,
      machine: aMachine,
      isLate: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('acceptMany'), source: aSource, machine: aMachine }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel'), source: aSource }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('expire') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('begin'), pick: aPick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('giveBack'), pick: aPick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('settle'), pick: aPick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retry') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('purge') }) },
);
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

async function take(store: TestStore, one: Step): Promise<void> {
  const { redis, jobs, tasks, intake } = store;
  const audit = createAuditLog(redis, keySpace, 60_000);
  const known = (await redis.keys(keys.task('*'))).filter((key) => !key.endsWith(':joined')).toSorted();
  const taskId = 'pick' in one ? (known[one.pick % known.length] ?? '').slice(keys.task('').length) : '';
  const of = (number: number, source: string | undefined) =>
    item({ machineId: machine(number), ...(source === undefined ? {} : { source }) });
  switch (one.do) {
    case 'accept': {
      const late = one.isLate ? { notAfter: new Date(arrivedAtMs + 1).toISOString() } : {};
      await intake.acceptOne(
        { ...of(one.machine, one.source), ...late },
        { nowMs: arrivedAtMs, caller: 'soar' },
      );
      return;
    }
    case 'acceptMany':
      await intake.acceptBatch([of(one.machine, one.source), of(one.machine + 1, 'edr')], {
        nowMs: arrivedAtMs,
      });
      return;
    case 'cancel':
      await createBulkCancel({ redis, keySpace, jobs, audit, retentionMs }).cancel(
        one.source === undefined ? { machineId: machine(1) } : { source: one.source },
        anna,
        { budgetMs: 10_000 },
      );
      return;
    case 'expire':
      await tasks.expireDue();
      return;
    case 'begin':
      await tasks.begin(taskId, 'call');
      return;
    case 'giveBack':
      await tasks.giveBack(taskId, 'call');
      return;
    case 'settle':
      await tasks.settle(taskId, 'call', failed);
      return;
    case 'retry':
      await createBulkRetry({ redis, keySpace, audit }).retry(
        {
          filter: { status: ['failed', 'cancelled'] },
          actor: anna,
          nowMs: arrivedAtMs,
          accept: (retries, caller) => intake.acceptRetries(retries, { nowMs: arrivedAtMs, caller }),
        },
        { budgetMs: 10_000 },
      );
      return;
    case 'purge':
      await createPurge({ redis, keySpace, audit, retentionMs }).purge({ caller: 'soar' }, anna, {
        budgetMs: 10_000,
      });
      return;
  }
}

/** By a walk over all that is queued, with the sources as Redis reads them. */
async function walk({ redis }: TestStore): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const id of await redis.zrange(keys.listed('queued'), 0, '-1')) {
    const stored = joinDoc(await redis.hmget(keys.request(id), ...docFields)) ?? '';
    const { source = '' } = JSON.parse(stored) as { source?: string };
    const readable = source.isWellFormed() ? source : '';
    found.set(readable, (found.get(readable) ?? 0) + 1);
  }
  return found;
}

describe('figures of a queue, whatever happens to its requests', () => {
  const redis = useEmbeddedRedis();
  let store: TestStore;
  before(async () => {
    store = await openTestStore(redis.url);
  });
  after(() => store.close());

  it('are what a walk over the queue counts, and the changes of its length add up to it', async function () {
    this.timeout(30_000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        await redis.flush();
        for (const one of steps) {
          await take(store, one);
          const walked = await walk(store);
          const stored = await store.redis.zrange(keys.sourceCounts, 0, '-1', 'WITHSCORES');
          const counted = new Map<string, number>();
          for (let i = 0; i < stored.length; i += 2) counted.set(stored[i] ?? '', Number(stored[i + 1]));
          assert.deepEqual(counted, walked, one.do);
          const queued = [...walked.values()].reduce((sum, count) => sum + count, 0);
          const changes = Object.values(await store.redis.hgetall(keys.lengths));
          assert.equal(
            changes.reduce((sum, by) => sum + Number(by), 0),
            queued,
            one.do,
          );
          assert.equal(
            (await createQueueFigures(store.redis, keySpace).read()).lengths.at(-1)?.queued,
            queued,
          );
        }
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });
});

describe('figures of a queue', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const accept = (count: number, source?: string) =>
    store.intake.acceptBatch(
      Array.from({ length: count }, (_, i) =>
        item({ machineId: machine(i), ...(source === undefined ? {} : { source }) }),
      ),
      { nowMs: arrivedAtMs },
    );
  const figures = (bounds = {}) => createQueueFigures(store.redis, keySpace, bounds).read();

  it('are none for an empty queue, which was as empty all day', async () => {
    const { lengths, ...rest } = await figures();
    assert.deepEqual(rest, {
      sources: [],
      otherSources: 0,
      otherRequests: 0,
      byOutcome: { running: 0, succeeded: 0, failed: 0, cancelled: 0, unknown: 0 },
      oldest: [],
      hasMore: false,
    });
    assert.equal(lengths.length, 289);
    assert.ok(lengths.every(({ queued }) => queued === 0));
    const times = lengths.map(({ atMs }) => atMs);
    assert.ok(times.slice(1, -1).every((atMs, i) => atMs - (times[i] ?? 0) === lengthStepMs));
  });

  it('name the sources of the most requests, and count the others', async () => {
    await accept(3);
    await accept(2, 'edr');
    await accept(4, 'soar');
    await accept(1, 'rare');
    const { sources, otherSources, otherRequests, oldest, hasMore } = await figures({
      mostSources: 2,
      mostOldest: 4,
    });
    assert.deepEqual(sources, [
      { source: 'soar', requests: 4 },
      { source: undefined, requests: 3 },
    ]);
    assert.deepEqual([otherSources, otherRequests], [2, 3]);
    assert.equal(oldest.length, 4);
    assert.equal(hasMore, true);
  });

  it('have the earlier lengths, from the present one and what changed since', async () => {
    await accept(4, 'soar');
    const [step = '0'] = await store.redis.hkeys(keys.lengths);
    await store.redis.hset(
      keys.lengths,
      String(Number(step) - lengthStepMs),
      '-2',
      String(Number(step) - 3 * lengthStepMs),
      '5',
    );
    await store.redis.hset(keys.counts, 'queued', '7');
    const { lengths } = await figures();
    const at = (steps: number) =>
      lengths.find(({ atMs }) => atMs === Number(step) + steps * lengthStepMs)?.queued;
    assert.deepEqual([lengths.at(-1)?.queued, at(0), at(-1), at(-2), at(-3), at(-4)], [7, 3, 5, 5, 0, 0]);
  });

  it('keep no more than a day of changes, and nothing a day after the last', async () => {
    const thisStep = Math.floor(Date.now() / lengthStepMs) * lengthStepMs;
    const old = Array.from({ length: 400 }, (_, i) => [
      String(thisStep - (i + 2) * lengthStepMs),
      '1',
    ]).flat();
    await store.redis.hset(keys.lengths, ...old);
    await accept(1);
    assert.ok((await store.redis.hlen(keys.lengths)) <= 289);
    assert.ok((await store.redis.pttl(keys.lengths)) > 24 * 3_600_000);
  });

  it('begin anew by source with an empty queue, also where requests were recorded before there were any', async () => {
    const { accepted } = await accept(2, 'soar');
    await store.redis.del(keys.sourceCounts);
    await store.redis.zadd(keys.sourceCounts, 5, 'of another time');
    for (const one of accepted)
      await store.tasks.endWaiting((await store.taskOf(one?.id ?? '')).id, {
        status: 'cancelled',
        attempts: 0,
      });
    assert.deepEqual(await store.redis.zrange(keys.sourceCounts, 0, '-1'), []);
  });
});
