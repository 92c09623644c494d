import assert from 'node:assert/strict';
import { sample, string } from 'fast-check';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, openTestStore } from '../test-support/test-store.ts';
import type { TestStore } from '../test-support/test-store.ts';

describe('what a request asked, as it is stored', () => {
  const redis = useEmbeddedRedis();
  let store: TestStore;
  before(async () => void (store = await openTestStore(redis.url)));
  after(() => store?.close());

  const key = (id: string) => storeKeys(keySpace).request(id);

  it('comes back as it was, however long it is and whatever characters it has', async () => {
    const comments = sample(
      string({ unit: 'grapheme', minLength: 1, maxLength: 600 }).filter((text) => text.trim() !== ''),
      300,
    );
    comments.push('x'.repeat(4_000), 'ü'.repeat(200), '€'.repeat(140), '😀'.repeat(100));
    for (let length = 280; length < 420; length += 1) comments.push('x'.repeat(length));
    const items = comments.map((comment, i) => item({ machineId: machine(i), comment }));
    const { accepted } = await store.intake.acceptBatch(items, { nowMs: arrivedAtMs });
    for (const [i, answer] of accepted.entries()) {
      const { document } = await store.request(answer?.id ?? '');
      assert.equal(document.comment, comments[i]);
    }
  });

  it('leaves the request in the compact form of Redis, of usual length', async () => {
    const { id } = await store.intake.acceptOne(
      item({
        machineId: machine(9_999),
        comment: 'INC-4711: suspicious logon — München, 2 h ago '.repeat(4),
      }),
      { nowMs: arrivedAtMs },
    );
    assert.equal(await store.redis.object('ENCODING', key(id)), 'listpack');
  });

  it('and so does its job, with the greatest job priority', async () => {
    const job = { taskId: (await store.intake.acceptOne(item(), { nowMs: arrivedAtMs })).id.slice(0, 19) };
    await store.jobs.add([{ ...job, jobPriority: 2_097_151 }]);
    const [name = ''] = await store.redis.keys(`${keySpace}:queue:${job.taskId}`);
    assert.equal(await store.redis.object('ENCODING', name), 'listpack');
  });
});
