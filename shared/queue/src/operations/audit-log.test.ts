import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createAuditLog } from './audit-log.ts';
import { storeKeys } from '../store-keys.ts';
import { keySpace } from '../test-support/test-store.ts';

const hourMs = 3_600_000;

describe('audit log', () => {
  const redis = useEmbeddedRedis();
  beforeEach(() => redis.flush());

  const log = (keptMs = hourMs) => createAuditLog(redis.client, keySpace, keptMs);

  it('tells entries newest first, in pages that new entries do not shift', async () => {
    for (const by of ['a', 'b', 'c']) await log().record({ action: 'pause', by });
    const first = await log().page(2);
    assert.deepEqual(
      first.entries.map(({ entry }) => entry.by),
      ['c', 'b'],
    );
    assert.equal(first.hasMore, true);
    await log().record({ action: 'resume', by: 'd' });
    const second = await log().page(2, first.entries.at(-1)?.id);
    assert.deepEqual(
      second.entries.map(({ entry }) => entry),
      [{ action: 'pause', by: 'a' }],
    );
    assert.equal(second.hasMore, false);
  });

  it('tells nothing older than is kept, and lets it go as new entries come', async () => {
    const { audit } = storeKeys(keySpace);
    const entry = JSON.stringify({ action: 'pause', by: 'a' });
    // A stream lets go of whole nodes, of a hundred entries.
    for (let n = 1; n <= 300; n += 1) await redis.client.xadd(audit, `${n}-0`, 'entry', entry);
    assert.deepEqual(await log().page(10), { entries: [], hasMore: false });
    await log().record({ action: 'resume', by: 'b' });
    assert.ok((await redis.client.xlen(audit)) <= 101);
    assert.equal((await log().page(10)).entries.length, 1);
  });
});
