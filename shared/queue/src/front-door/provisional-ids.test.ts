import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { storeKeys } from '../store-keys.ts';
import { createProvisionalIds } from './provisional-ids.ts';

const keySpace = 'diq:{provisional-ids}';
const retentionMs = 3_600_000;

describe('ids of the front door', () => {
  const redis = useEmbeddedRedis();
  beforeEach(() => redis.flush());
  const ids = () => createProvisionalIds(redis.client, keySpace, retentionMs);

  it('have another number where one is taken, which leads to its request all the same', async () => {
    const taken = await ids().numberOf('one');
    assert.equal(await ids().numberOf('one'), taken);
    await redis.client.set(storeKeys(keySpace).frontDoorNumber(String(taken)), 'other');
    const number = await ids().numberOf('one');
    assert.notEqual(number, taken);
    assert.deepEqual(
      [await ids().requestOf(number), await ids().requestOf(taken), await ids().numberOf('one')],
      ['one', 'other', number],
    );
  });

  it('stand for the repeats that were answered with them, also where an earlier one has ended', async () => {
    await ids().noteRepeat('first', 'second');
    await ids().noteRepeat('first', 'third');
    await ids().noteRepeat('second', 'fourth');
    for (const id of ['first', 'second', 'fourth'])
      assert.deepEqual((await ids().repeatsOf(id)).toSorted(), ['fourth', 'second', 'third'], id);
    assert.deepEqual(await ids().repeatsOf('another'), []);
  });

  it('go by themselves', async () => {
    await ids().noteRepeat('sixth', 'seventh');
    await ids().firstOf('caller', 'sixth', 'eighth');
    await ids().numberOf('sixth');
    const noted = await redis.client.keys(`${keySpace}:front-door:*`);
    assert.equal(noted.length, 4);
    for (const key of noted) assert.ok((await redis.client.pttl(key)) > retentionMs, key);
  });
});
