import assert from 'node:assert/strict';
import { useEmbeddedRedis } from './shared-redis.ts';

let firstUrl: string;

describe('the embedded Valkey of a run', () => {
  describe('in one suite', () => {
    const redis = useEmbeddedRedis();

    it('is there, and takes what the suite writes', async () => {
      firstUrl = redis.url;
      await redis.client.set('left', 'behind');
      await redis.flush();
      assert.equal(await redis.client.get('left'), null);
      await redis.client.set('left', 'behind');
    });
  });

  describe('in the next suite', () => {
    const redis = useEmbeddedRedis();

    it('is the same process, emptied', async () => {
      assert.equal(redis.url, firstUrl);
      assert.equal(await redis.client.dbsize(), 0);
    });
  });

  it('says so when it is used outside the hooks and tests of its suite', () => {
    const unopened = Object.getOwnPropertyDescriptor(suiteNeverEntered, 'client')?.get;
    assert.throws(() => unopened?.call(suiteNeverEntered), /from the before hooks on/);
  });
});

let suiteNeverEntered: ReturnType<typeof useEmbeddedRedis>;
describe('a suite without tests', () => {
  suiteNeverEntered = useEmbeddedRedis();
});
