import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

interface Reply {
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

    const { id, counts, refusalsWithoutFault = 0, items } = response.body as Reply;
    assert.equal(counts['rejected'], 9_999);
    const untold = items.filter(({ error }) => error?.errors.length === 0);
    assert.ok(refusalsWithoutFault > 0);
    assert.equal(untold.length, refusalsWithoutFault);
    const page = async (cursor: string) =>
      (await intake.get(`/v1/batches/${id}/items?limit=1000${cursor}`).expect(200)).body as {
        value: Reply['items'];
        nextLink: string;
      };
    const first = await page('');
    assert.deepEqual(first.value.slice(1), items.slice(1, 1_000));
    let last = first;
    while (last.nextLink) last = await page(`&${last.nextLink.split('&')[1] ?? ''}`);
    assert.deepEqual(last.value, items.slice(-last.value.length));

    const dry = await intake.post('/v1/batches?dryRun=true', { requests }).expect(200);
    assert.equal((dry.body as Reply).refusalsWithoutFault, refusalsWithoutFault);
  });
});
