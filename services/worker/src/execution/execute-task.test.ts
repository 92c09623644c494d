import assert from 'node:assert/strict';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import type { Task } from '@diq/queue/tasks/task-store.ts';
import type { CallOutcome } from '../defender/defender-client.ts';
import { policyFor } from './outcome-policy.ts';
import { executeTask, type TaskSteps, type JobFate } from './execute-task.ts';

const nowMs = 1_000_000;
const waiting: Task = {
  id: 'task-1',
  state: 'waiting',
  machineId: 'fb9ab6be3965095a09c057be7c90f0a2',
  comment: 'why',
  parameters: {},
  createdAtMs: 1,
  jobPriority: 5,
  priority: 'medium',
  notAfterMs: undefined,
  callId: undefined,
  sentAtMs: undefined,
  unresolvedSinceMs: undefined,
  calls: 0,
  unresolved: undefined,
};
const started: CallOutcome = {
  kind: 'started',
  result: { kind: 'investigation', id: '5146' },
  status: 200,
  durationMs: 1,
};
const throttled: CallOutcome = { kind: 'throttled', retryAfterMs: 1_000, status: 429, durationMs: 1 };
const notSent: CallOutcome = { kind: 'not_sent', reason: 'connection_refused', durationMs: 1 };
const trouble = new Error('Redis is away');
const noToken = async () => ({ kind: 'unavailable' as const, permanent: true, code: 'x' });
const full = async () => ({ kind: 'full' as const, nextSlotAtMs: nowMs, nowMs, by: 'quota' as const });
const fails = () => Promise.reject(trouble);

interface Story {
  /** The steps in the order in which they were begun, the permit's end last. */
  events: string[];
  fate: JobFate | undefined;
  error: unknown;
  /** What had been done when the permit was marked as spent. */
  spentAfter: string[] | undefined;
}

/** Runs one task with steps that only say that they were asked. */
async function run(own: Partial<TaskSteps> = {}, task: Task = waiting): Promise<Story> {
  const events: string[] = [];
  const steps: TaskSteps = {
    newCallId: () => 'call-1',
    startSendDeadline: () => ({ mayBegin: () => true, mayStillSend: () => true }),
    getToken: async () => ({ kind: 'token', token: 'token-1', expiresAtMs: 2 * nowMs }),
    holdWithoutToken: async () => undefined,
    startIntent: async () => ({ confirmed: async () => undefined }),
    spend: async () => ({ kind: 'granted', spentAtMs: nowMs, used: 1, freeSinceMs: 0, limit: 5, changes: 1 }),
    onRefusal: async () => 'back',
    begin: async () => true,
    giveBackUnused: async () => undefined,
    call: async () => started,
    policyFor: (outcome) => policyFor(outcome, initiateInvestigation.wording),
    record: async () => 'shared',
    expire: async () => undefined,
    isNext: async () => true,
    block: async () => undefined,
    takeRoom: async () => 'taken',
    leaveRoom: async () => undefined,
    ...own,
  };
  const story: Story = { events, fate: undefined, error: undefined, spentAfter: undefined };
  const permit = {
    spent: () => {
      story.spentAfter = [...events];
    },
    counted: (fromMs: number) => events.push(`window runs from ${fromMs}`),
    keepForOneWindow: () => events.push('keep permit'),
    release: () => events.push('release permit'),
  };
  try {
    story.fate = await executeTask(task, permit, recording(steps, events), nowMs);
  } catch (error) {
    story.error = error;
  }
  return story;
}

function recording(steps: TaskSteps, events: string[]): TaskSteps {
  const say =
    <A extends unknown[], R>(name: string, act: (...args: A) => R) =>
    (...args: A): R => {
      events.push(name);
      return act(...args);
    };
  return {
    newCallId: steps.newCallId,
    startIntent: steps.startIntent,
    startSendDeadline: say('start deadline', steps.startSendDeadline),
    getToken: say('token', steps.getToken),
    holdWithoutToken: say('hold', steps.holdWithoutToken),
    spend: say('spend', steps.spend),
    onRefusal: say('refusal', steps.onRefusal),
    begin: say('begin', steps.begin),
    giveBackUnused: say('give back', steps.giveBackUnused),
    call: say('call', steps.call),
    policyFor: steps.policyFor,
    record: say('record', steps.record),
    expire: say('expire', steps.expire),
    isNext: steps.isNext,
    block: say('block', steps.block),
    takeRoom: steps.takeRoom,
    leaveRoom: steps.leaveRoom,
  };
}

const untilSpent = ['token', 'start deadline', 'spend'];
const untilCalled = [...untilSpent, 'begin', 'call'];

describe('one task', () => {
  it('goes token, deadline, intent, last gate, call, record, in this order', async () => {
    const { events, fate } = await run();
    assert.deepEqual(events, [...untilCalled, 'record', 'keep permit']);
    assert.equal(fate, 'done');
  });

  it('spends nothing and leaves the queue while it is not its turn on its machine', async () => {
    const { events, fate } = await run({ isNext: async () => false });
    assert.deepEqual(events, ['block', 'release permit']);
    assert.equal(fate, 'done');
  });

  it('has the window of the permit run from the record of the ledger, not from the end of all that follows it', async () => {
    const { events } = await run({
      async record(_call, _outcome, _policy, onCounted) {
        onCounted?.(1_234);
        return 'shared';
      },
    });
    assert.deepEqual(events.slice(-3), ['record', 'window runs from 1234', 'keep permit']);
  });

  it('goes back to its place while Defender runs as many as it may, and gives up its room whatever happens', async () => {
    const full = await run({
      takeRoom: async () => 'full',
      leaveRoom: async () => assert.fail('it has none'),
    });
    assert.deepEqual([full.events, full.fate], [['release permit'], 'back']);
    const offline = await run({ takeRoom: async () => 'offline' });
    assert.deepEqual([offline.events, offline.fate], [['release permit'], 'done'], 'it was put aside');
    for (const own of [{}, { begin: async () => false }, { call: fails }]) {
      let left = 0;
      await run({ ...own, leaveRoom: async () => void (left += 1) });
      assert.equal(left, 1);
    }
  });

  it('is called with the token that was obtained and recorded under the id that was spent for', async () => {
    const seen: string[] = [];
    await run({
      spend: async (callId, task) => {
        seen.push(`spend ${callId} ${task.id}`);
        return { kind: 'granted', spentAtMs: nowMs, used: 1, freeSinceMs: 0, limit: 5, changes: 1 };
      },
      call: async ({ callId, task }, token) => {
        seen.push(`call ${callId} ${task.id} ${token}`);
        return started;
      },
      record: async ({ callId }, outcome, { requests, permit }) => {
        seen.push(`record ${callId} ${outcome.kind} ${requests.kind} ${permit}`);
        return 'shared';
      },
    });
    assert.deepEqual(seen, [
      'spend call-1 task-1',
      'call call-1 task-1 token-1',
      'record call-1 started settle spent',
    ]);
  });

  it('spends nothing while there is no token, and everybody waits', async () => {
    const { events, fate } = await run({
      getToken: async () => ({ kind: 'unavailable', permanent: false, code: 'http_503' }),
    });
    assert.deepEqual(events, ['token', 'hold', 'release permit']);
    assert.equal(fate, 'back');
  });

  it('is not called when the ledger refuses, and its job goes where the refusal says', async () => {
    for (const said of ['back', 'done'] as const) {
      const { events, fate } = await run({
        spend: async () => ({ kind: 'full', nextSlotAtMs: nowMs + 1, nowMs, by: 'quota' }),
        onRefusal: async () => said,
      });
      assert.deepEqual(events, [...untilSpent, 'refusal', 'release permit']);
      assert.equal(fate, said);
    }
  });

  it('is not called when the last gate stays shut: intent and permit are given back', async () => {
    const { events, fate } = await run({ begin: async () => false });
    assert.deepEqual(events, [...untilSpent, 'begin', 'give back', 'release permit']);
    assert.equal(fate, 'done');
  });

  it('is not called when the last gate cannot be asked: intent and permit are given back', async () => {
    const { events, error } = await run({ begin: fails });
    assert.deepEqual(events, [...untilSpent, 'begin', 'give back', 'release permit']);
    assert.equal(error, trouble);
  });

  it('is not called when the reply of the ledger is lost: what may be recorded is given back', async () => {
    for (const giveBackUnused of [async () => undefined, fails]) {
      const { events, error } = await run({ spend: fails, giveBackUnused });
      assert.deepEqual(events, [...untilSpent, 'give back', 'release permit']);
      assert.equal(error, trouble);
    }
  });

  it('has nothing to do when it is in other hands or settled', async () => {
    for (const state of ['in_flight', 'settled'] as const) {
      const { events, fate } = await run({}, { ...waiting, state });
      assert.deepEqual(events, ['release permit']);
      assert.equal(fate, 'done');
    }
  });

  it('expires without a call at the very time after which it must not start', async () => {
    for (const notAfterMs of [nowMs - 1, nowMs]) {
      const { events, fate } = await run({}, { ...waiting, notAfterMs });
      assert.deepEqual(events, ['expire', 'release permit']);
      assert.equal(fate, 'done');
    }
    const { events } = await run({}, { ...waiting, notAfterMs: nowMs + 1 });
    assert.deepEqual(events, [...untilCalled, 'record', 'keep permit']);
  });

  describe('its permit', () => {
    it('is kept by a call that reached Defender, even if the job goes back', async () => {
      const { events, fate } = await run({ call: async () => throttled });
      assert.equal(events.at(-1), 'keep permit');
      assert.equal(fate, 'back');
    });

    it('is released after a call that never left', async () => {
      const { events, fate } = await run({ call: async () => notSent });
      assert.deepEqual(events, [...untilCalled, 'record', 'release permit']);
      assert.equal(fate, 'back');
    });

    it('outlives its process from the moment at which the ledger grants the call, and not before', async () => {
      assert.deepEqual((await run()).spentAfter, untilSpent);
      const reply = { kind: 'full', nextSlotAtMs: nowMs + 1, nowMs, by: 'quota' } as const;
      assert.equal((await run({ spend: async () => reply })).spentAfter, undefined);
    });

    it('is released by whatever fails before the call, and the error is not hidden', async () => {
      const early = ['getToken', 'spend', 'begin', 'expire', 'holdWithoutToken', 'onRefusal'] as const;
      for (const step of early) {
        const lead = {
          ...(step === 'holdWithoutToken' && { getToken: noToken }),
          ...(step === 'onRefusal' && { spend: full }),
        };
        const task = step === 'expire' ? { ...waiting, notAfterMs: 1 } : waiting;
        const { events, error } = await run({ ...lead, [step]: fails }, task);
        assert.equal(error, trouble, step);
        assert.deepEqual(
          events.filter((step) => step === 'call' || step.endsWith('permit')),
          ['release permit'],
          step,
        );
      }
    });

    it('is given back, and no call made, when too few replicas have its intent in time', async () => {
      const { events, error } = await run({ startIntent: async () => ({ confirmed: fails }) });
      assert.deepEqual(events, [...untilSpent, 'begin', 'give back', 'release permit']);
      assert.equal(error, trouble);
    });

    it('is not spent at all while replicas are known to be behind', async () => {
      const { events, error } = await run({ startIntent: fails });
      assert.deepEqual(events, ['token', 'release permit']);
      assert.equal(error, trouble);
    });

    it('is released even if giving back fails', async () => {
      const { events, error } = await run({ begin: async () => false, giveBackUnused: fails });
      assert.equal(events.at(-1), 'release permit');
      assert.equal(error, trouble);
    });

    it('is kept when the outcome of a call that left cannot be recorded', async () => {
      const { events, error } = await run({ record: fails });
      assert.deepEqual(
        events.filter((step) => step.endsWith('permit')),
        ['keep permit'],
      );
      assert.equal(error, trouble);
    });

    it('is released when the outcome of a call that never left cannot be recorded', async () => {
      const { events } = await run({ call: async () => notSent, record: fails });
      assert.deepEqual(
        events.filter((step) => step.endsWith('permit')),
        ['release permit'],
      );
    });

    it('is kept when the call itself breaks down: it may have left', async () => {
      const { events, error } = await run({ call: fails });
      assert.deepEqual(events, [...untilCalled, 'keep permit']);
      assert.equal(error, trouble);
    });
  });
});
