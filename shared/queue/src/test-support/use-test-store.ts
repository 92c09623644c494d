import type { SuiteRedis } from '@diq/testing/shared-redis.ts';
import { openTestStore } from './test-store.ts';
import type { TestStore } from './test-store.ts';

export type SuiteStore = Omit<TestStore, 'close'>;

/** A store of its own for each test, in Redis that is empty. Call inside a `describe`. Readable from its `beforeEach` hooks on. */
export function useTestStore(redis: SuiteRedis): SuiteStore {
  let opened: TestStore | undefined;
  const current = (): TestStore => {
    if (!opened) throw new Error('the store is there from the beforeEach hooks on');
    return opened;
  };

  beforeEach('open the store', async () => {
    await redis.flush();
    opened = await openTestStore(redis.url);
  });
  afterEach('close the store', async () => {
    await opened?.close();
    opened = undefined;
  });

  return {
    get redis() {
      return current().redis;
    },
    get intake() {
      return current().intake;
    },
    get jobs() {
      return current().jobs;
    },
    get tasks() {
      return current().tasks;
    },
    get following() {
      return current().following;
    },
    get results() {
      return current().results;
    },
    get reader() {
      return current().reader;
    },
    request: (id) => current().request(id),
    taskOf: (requestId) => current().taskOf(requestId),
    dump: () => current().dump(),
  };
}
