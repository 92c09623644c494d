import assert from 'node:assert/strict';
import type { EndOutcome } from '@diq/contracts/result-outcome.ts';
import { arrivedAtMs, item, machine } from '@diq/queue/test-support/test-store.ts';
import { useTestStore } from '@diq/queue/test-support/use-test-store.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { ProblemError } from '../http/problem-error.ts';
import { redirectToLink } from './redirect-to-link.ts';

describe('the way to what a machine action brought', () => {
  const store = useTestStore(useEmbeddedRedis());

  async function start(n: number): Promise<{ id: string; taskId: string }> {
    const { id } = await store.intake.acceptOne(item({ machineId: machine(n) }), { nowMs: arrivedAtMs });
    return { id, taskId: (await store.request(id)).taskId };
  }
  async function end(n: number, outcome?: EndOutcome): Promise<string> {
    const { id, taskId } = await start(n);
    await store.following.begin(taskId, 'call');
    const result = { kind: 'machineAction', id: `action-${n}` } as const;
    await store.following.settle(taskId, 'call', { status: 'started', result, attempts: 1 });
    if (outcome) await store.results.end(taskId, { outcome, wasRead: true });
    return id;
  }
  /** The code of the refusal, and whether Defender was to be asked for a link. */
  async function codeFor(id: string, index?: string): Promise<[string, boolean]> {
    let isAsked = false;
    const ask = async () => {
      isAsked = true;
      return { kind: 'not_there' } as const;
    };
    const parts = {
      reader: store.reader,
      links: { ask },
      queue: { operation: index === undefined ? 'collectInvestigationPackage' : 'runLiveResponse' },
    };
    const wanted =
      index === undefined ? { id, kind: 'package' as const } : { id, kind: 'results' as const, index };
    try {
      await redirectToLink(wanted, parts as never, undefined as never);
    } catch (error) {
      assert.ok(error instanceof ProblemError, String(error));
      return [error.code, isAsked];
    }
    throw new Error('it is refused');
  }

  it('ends for good, without a question to Defender, where the action failed or was cancelled', async () => {
    assert.deepEqual(await codeFor(await end(1, 'failed')), ['result_not_found', false]);
    assert.deepEqual(await codeFor(await end(2, 'cancelled')), ['result_not_found', false]);
  });

  it('asks for the output of each command also where a live response failed, and ends where there is none', async () => {
    assert.deepEqual(await codeFor(await end(5, 'failed'), '0'), ['result_not_found', true]);
  });

  it('ends for good where none was started and none will be', async () => {
    const { id, taskId } = await start(3);
    assert.deepEqual(await codeFor(id), ['result_not_ready', false]);
    await store.tasks.endWaiting(taskId, { status: 'cancelled', attempts: 0 });
    assert.deepEqual(await codeFor(id), ['result_not_found', false]);
  });

  it('goes on by Defender while the action runs, succeeded, or is unknown', async () => {
    for (const [i, outcome] of [undefined, 'succeeded', 'unknown'].entries())
      assert.deepEqual(await codeFor(await end(10 + i, outcome as EndOutcome | undefined)), [
        'result_not_ready',
        true,
      ]);
  });
});
