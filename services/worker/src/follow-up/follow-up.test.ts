import assert from 'node:assert/strict';
import { createTaskStore } from '@diq/queue/tasks/task-store.ts';
import { createResultStore } from '@diq/queue/results/result-store.ts';
import { createReadTurn } from '@diq/quota/reads/read-turn.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { createDefenderReader } from '../defender/defender-reader.ts';
import { captureLog } from '../test-support/capture-log.ts';
import { newMachineId, openBench, type Bench } from '../test-support/open-bench.ts';
import { createTestMetrics } from '../test-support/test-metrics.ts';
import { countByLabel } from '../test-support/count-by-label.ts';
import { unlimitedReads } from '../test-support/unlimited-reads.ts';
import { useSimulator } from '../test-support/use-simulator.ts';
import { createFollowUp } from './follow-up.ts';

const retentionMs = 3_600_000;

describe('following results', () => {
  const redis = useEmbeddedRedis();
  const simulator = useSimulator({ SIMULATOR_READS_PER_MINUTE: '10000', SIMULATOR_INVESTIGATION_TIME: '1h' });
  let bench: Bench;
  const closers: (() => Promise<unknown>)[] = [];
  beforeEach('open a key space', async () => {
    bench = await openBench(redis.url);
  });
  afterEach('close all', async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
    await bench.close();
  });

  function open(tenantId: string = bench.keySpace.slice(5, 41)) {
    const tokens = simulator.createTokens(() => undefined);
    const reader = createDefenderReader({
      baseUrl: simulator.origin,
      connect: { ca: simulator.ca },
      budget: unlimitedReads,
      timeoutMs: 10_000,
    });
    const followUp = createFollowUp({
      reader,
      tokens,
      turn: createReadTurn({ redis: bench.redis, tenantId, forMs: 60_000 }),
      shortestEveryMs: 0,
    });
    const metrics = createTestMetrics();
    const { logger, lines } = captureLog();
    const results = createResultStore(bench.redis, bench.keySpace, retentionMs);
    followUp.add({ operation: 'initiateInvestigation', list: 'investigations', results, metrics, logger });
    closers.push(async () => {
      await followUp.close();
      await reader.close();
      await (tokens as typeof tokens & { close(): Promise<void> }).close();
    });
    return { followUp, metrics, results, lines };
  }

  interface Investigated {
    id: string;
    machineId: string;
  }
  /** A request whose call started this investigation. */
  async function start({ id: investigationId, machineId }: Investigated, forMs = retentionMs) {
    const { requestId, taskId } = await bench.accept({ machineId });
    const follow = { forMs, firstReadInMs: 0 };
    const tasks = createTaskStore(bench.redis, bench.keySpace, retentionMs, undefined, follow);
    await tasks.begin(taskId, 'call-1');
    const result = { kind: 'investigation', id: investigationId } as const;
    await tasks.settle(taskId, 'call-1', { status: 'started', result, attempts: 1 });
    const settledAtMs = await redisNowMs();
    if (forMs < retentionMs)
      await waitFor(async () => (await redisNowMs()) > settledAtMs + forMs, { what: 'the end of its time' });
    return requestId;
  }
  async function investigate(order: object): Promise<Investigated> {
    const machineId = newMachineId();
    return { id: (await simulator.addInvestigation({ machineId, ...order })).id, machineId };
  }
  async function redisNowMs(): Promise<number> {
    const [seconds, micros] = (await bench.redis.time()).map(Number);
    return (seconds ?? 0) * 1_000 + (micros ?? 0) / 1_000;
  }
  const outcomeOf = async (requestId: string) => (await bench.read(requestId)).result;

  it('reads one list for all that are due, stores what it shows, and ends each once', async () => {
    const { followUp, metrics, lines } = open();
    const ids = await Promise.all(
      ['Running', 'PendingApproval', 'Benign', 'TerminatedByUser'].map(async (state) =>
        start(await investigate({ state })),
      ),
    );
    const before = (await simulator.reads()).length;
    await followUp.check();
    const reads = (await simulator.reads()).slice(before);
    assert.deepEqual(
      reads.map(({ read }) => read),
      ['listInvestigations'],
    );
    const found = await Promise.all(ids.map(outcomeOf));
    assert.deepEqual(
      found.map((result) => [result?.state, result?.outcome]),
      [
        ['Running', 'running'],
        ['PendingApproval', 'running'],
        ['Benign', 'succeeded'],
        ['TerminatedByUser', 'cancelled'],
      ],
    );
    await followUp.check();
    assert.deepEqual(await countByLabel(metrics.resultsEnded), { succeeded: 1, cancelled: 1 });
    assert.equal(lines.filter((line) => line.includes('result ended')).length, 2);
  });

  it('is done by one worker at a time', async () => {
    const [one, other] = [open(), open()];
    await start(await investigate({ state: 'Running' }));
    const before = (await simulator.reads()).length;
    await Promise.all([one.followUp.check(), other.followUp.check()]);
    assert.equal((await simulator.reads()).length - before, 1);
  });

  it('finds what the list does not show by its id: one that began long before the call', async () => {
    const { followUp } = open();
    const startTime = new Date(Date.now() - 5 * 24 * 3_600_000).toISOString();
    const requestId = await start(await investigate({ state: 'Benign', startTime }));
    await followUp.check();
    assert.equal((await outcomeOf(requestId))?.outcome, 'succeeded');
  });

  it('takes no end from an investigation of the same id on another machine', async () => {
    const { followUp } = open();
    const { id } = await investigate({ state: 'Benign' });
    const requestId = await start({ id, machineId: newMachineId() });
    await followUp.check();
    const { outcome, state } = (await outcomeOf(requestId)) ?? {};
    assert.deepEqual([outcome, state], ['running', undefined]);
  });

  it('keeps what Defender cannot be read for, until it is over', async () => {
    const { followUp } = open();
    const requestId = await start(await investigate({ state: 'Benign' }));
    await simulator.addFault({ target: 'read', times: 1, action: { kind: 'status', status: 503 } });
    await followUp.check();
    assert.deepEqual((await outcomeOf(requestId))?.outcome, 'running');
    await followUp.check();
    assert.equal((await outcomeOf(requestId))?.outcome, 'succeeded');
  });

  it('ends as unknown, and says why, when the time is over for which it is followed', async () => {
    const { followUp } = open();
    const waiting = await start(await investigate({ state: 'PendingApproval' }), 1);
    const none = await start({ id: '999999', machineId: newMachineId() }, 1);
    await followUp.check();
    const [shown, missing] = [await outcomeOf(waiting), await outcomeOf(none)];
    assert.deepEqual(
      [shown?.outcome, shown?.state, shown?.reason],
      ['unknown', 'PendingApproval', 'Defender showed no end of it for as long as it was followed.'],
    );
    assert.equal(missing?.reason, 'Defender did not show it for as long as it was followed.');
    const { id } = await investigate({ state: 'Benign' });
    const elsewhere = await start({ id, machineId: newMachineId() }, 1);
    await followUp.check();
    assert.match(
      (await outcomeOf(elsewhere))?.reason ?? '',
      /^Defender shows its id for another machine alone\./,
    );
    const unread = await start(await investigate({ state: 'Running' }), 1);
    await simulator.addFault({ target: 'read', times: null, action: { kind: 'status', status: 503 } });
    await followUp.check();
    assert.equal(
      (await outcomeOf(unread))?.reason,
      'Defender could not be read for as long as it was followed.',
    );
  });
});
