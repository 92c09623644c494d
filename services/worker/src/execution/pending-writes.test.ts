import assert from 'node:assert/strict';
import { NotReplicatedError } from '@diq/redis/replication.ts';
import { createPendingWrites } from './pending-writes.ts';

/** A write whose attempts end as they are made to. */
function controlledWrite() {
  const attempts: { succeed(): void; fail(error: Error): void }[] = [];
  let began = () => {};
  return {
    act: () =>
      new Promise<string>((resolve, reject) => {
        attempts.push({ succeed: () => resolve('stored'), fail: reject });
        began();
      }),
    attempts,
    async attempt(n: number) {
      while (attempts.length < n) await new Promise<void>((resolve) => (began = resolve));
      return attempts[n - 1]!;
    },
  };
}

const away = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

describe('writes that are pending', () => {
  const giveUp = new AbortController();
  after(() => giveUp.abort());

  it('are attempted once more, after the attempt under way, which may be on a server that is lost', async () => {
    const writes = createPendingWrites(giveUp.signal, () => undefined);
    const { act, attempt, attempts } = controlledWrite();
    const stored = writes.untilStored(act);
    const attempted = writes.attemptAll();
    (await attempt(1)).fail(new NotReplicatedError('lagging'));
    (await attempt(2)).succeed();
    await attempted;
    assert.equal(await stored, 'stored');
    assert.equal(attempts.length, 2);
    await writes.attemptAll();
    assert.equal(attempts.length, 2, 'what is stored is not pending');
  });

  it('say so while Redis is away, and not because too few servers have them or Redis refuses one of them', async () => {
    for (const [error, isSaid] of [
      [away(), true],
      [new NotReplicatedError('lagging'), false],
      [new Error('a bug'), false],
    ] as const) {
      const writes = createPendingWrites(giveUp.signal, () => undefined);
      const { act, attempt } = controlledWrite();
      const stored = writes.untilStored(act);
      const attempted = writes.attemptAll().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      (await attempt(1)).fail(away());
      (await attempt(2)).fail(error);
      assert.equal(await attempted, isSaid ? error : undefined);
      (await attempt(3)).succeed();
      await stored;
    }
  });
});
