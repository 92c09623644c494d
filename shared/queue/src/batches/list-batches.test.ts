import assert from 'node:assert/strict';
import { queueTagOf } from '@diq/contracts/queue-tag.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { createRequestIntake } from '../admission/accept-requests.ts';
import { derivedIds } from '../admission/request-ids.ts';
import { createAuditLog } from '../operations/audit-log.ts';
import { createPurge } from '../operations/purge.ts';
import { createBulkCancel } from '../requests/bulk-cancel.ts';
import { mostFoundBy } from '../requests/correlation-digest.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';
import { openBatch } from './batch-record.ts';
import { createBatchList } from './list-batches.ts';
import type { BatchFilter } from './list-batches.ts';

const keys = storeKeys(keySpace);
const anna = { name: 'anna' };
/** Further apart than ids and times of requests may differ. */
const stepMs = 1_000_000;

describe('list of batches', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);
  let number = 0;

  async function accept(items: Parameters<typeof item>[0][], step = 0, intake = store.intake) {
    const nowMs = arrivedAtMs + step * stepMs;
    const ids = derivedIds(`batch ${(number += 1)}`, nowMs, queueTagOf(keySpace));
    const entries = items.map((fields) => item({ machineId: machine((number += 1)), ...fields }));
    return (await intake.acceptBatch(entries, { nowMs, ids })).batchId;
  }
  async function pages(filter: BatchFilter, limit = 2) {
    const found: string[][] = [];
    let position: string | undefined;
    do {
      const page = await createBatchList(store.redis, keySpace).page(filter, limit, position);
      found.push(page.batches.map(({ id }) => id));
      position = page.next;
    } while (position !== undefined);
    return found;
  }
  const actions = (keptMs: number) => ({
    redis: store.redis,
    keySpace,
    jobs: store.jobs,
    audit: createAuditLog(store.redis, keySpace, retentionMs),
    retentionMs: keptMs,
  });
  const cancel = (batchId: string, keptMs = retentionMs) =>
    createBulkCancel(actions(keptMs)).cancel({ batchId }, anna, { budgetMs: 10_000 });

  it('finds by source, pairs, time and status what fits, newest first, in pages', async () => {
    const [one, two, three, four] = [
      await accept([{ source: 'edr', correlation: { incident: 'INC-1', run: '1' } }, { source: 'soar' }]),
      await accept([{ source: 'soar', correlation: { incident: 'INC-2' } }], 1),
      await accept([{ correlation: { incident: 'INC-1' } }, { correlation: { run: '2' } }], 2),
      await accept([{}, {}], 3),
    ];
    await cancel(two);
    const cases: [BatchFilter, string[]][] = [
      [{}, [four, three, two, one]],
      [{ source: 'soar' }, [two, one]],
      [{ source: 'so' }, []],
      [{ correlation: { incident: 'INC-1' } }, [three, one]],
      [{ correlation: { incident: 'INC-1', run: '2' } }, [three]],
      [{ source: 'edr', correlation: { incident: 'INC-1', run: '1' } }, [one]],
      [{ correlation: { incident: 'INC-1', run: '3' } }, []],
      [{ isComplete: true }, [two]],
      [{ isComplete: false, source: 'soar' }, [one]],
      [{ fromMs: arrivedAtMs + stepMs }, [four, three, two]],
      [{ fromMs: arrivedAtMs + 1, toMs: arrivedAtMs + 2.5 * stepMs }, [three, two]],
      [{ toMs: arrivedAtMs + stepMs, source: 'soar' }, [one]],
    ];
    for (const [filter, expected] of cases) {
      for (const limit of [1, 2, 10])
        assert.deepEqual((await pages(filter, limit)).flat(), expected, JSON.stringify({ filter, limit }));
    }
    assert.deepEqual(await pages({}, 3), [[four, three, two], [one]]);
  });

  it('shows how far each is, and when it was complete', async () => {
    const id = await accept([{}, {}, {}]);
    const read = async () => (await createBatchList(store.redis, keySpace).page({}, 1)).batches[0];
    const { tail: _, ...whole } = (await store.reader.findBatch(id)) ?? assert.fail();
    assert.deepEqual(await read(), whole);
    await cancel(id);
    const listed = await read();
    assert.deepEqual([listed?.isComplete, listed?.counts.cancelled], [true, 3]);
    assert.ok(listed?.completedAtMs);
  });

  it('does not show a batch before it is accepted as a whole', async () => {
    const about = { batchId: 'batch-9', nowMs: arrivedAtMs, items: ['request-9'], rejected: 0, retentionMs };
    await openBatch(store.redis, keySpace, about);
    assert.deepEqual(await pages({}), [[]]);
  });

  it('finds a batch by so many of its sources and pairs, and by no more', async () => {
    const items = Array.from({ length: mostFoundBy + 1 }, (_, n) => ({
      source: `s${n}`,
      correlation: { n: `${n}` },
    }));
    const id = await accept(items);
    assert.equal(await store.redis.zcard(keys.batches), 1 + 2 * mostFoundBy);
    for (const n of [0, mostFoundBy - 1]) {
      assert.deepEqual(await pages({ source: `s${n}` }), [[id]]);
      assert.deepEqual(await pages({ correlation: { n: `${n}` } }), [[id]]);
    }
    assert.deepEqual(await pages({ source: `s${mostFoundBy}` }), [[]]);
  });

  it('forgets batches as they go, and when they are deleted', async () => {
    const gone = [await accept([{ source: 'a' }]), await accept([{ correlation: { n: '1' } }])];
    for (const id of gone) await cancel(id, 1);
    await waitFor(async () => (await store.reader.findBatch(gone[1] ?? '')) === undefined, {
      what: 'the retention to end',
    });
    assert.deepEqual((await pages({})).flat(), []);
    const kept = await accept([{ source: 'b' }]);
    await cancel(kept);
    assert.deepEqual(await store.redis.zcard(keys.batches), 2, 'the one that is kept, and its source');
    assert.deepEqual((await pages({})).flat(), [kept]);
    await createPurge(actions(retentionMs)).purge({ batchId: kept }, anna, { budgetMs: 10_000 });
    assert.deepEqual(await redis.client.exists(keys.batches, keys.batchesEnded), 0);
  });

  it('is entered once for a batch that is posted again', async () => {
    const intake = createRequestIntake({ redis: store.redis, keySpace, jobs: store.jobs, retentionMs });
    const ids = derivedIds('again', arrivedAtMs, queueTagOf(keySpace));
    for (const _ of [1, 2]) await intake.acceptBatch([item({ source: 'a' })], { nowMs: arrivedAtMs, ids });
    assert.deepEqual(await pages({ source: 'a' }), [[ids.batch]]);
    assert.equal(await store.redis.zcard(keys.batches), 2);
  });
});
