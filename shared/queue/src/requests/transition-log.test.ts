import assert from 'node:assert/strict';
import { waitFor } from '@diq/testing/wait-for.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createTaskStore } from '../tasks/task-store.ts';
import { createRequestLog, maxWaiting } from './transition-log.ts';
import {
  arrivedAtMs,
  item,
  keySpace,
  machine,
  openTestStore,
  retentionMs,
} from '../test-support/test-store.ts';
import type { TestStore } from '../test-support/test-store.ts';

const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
const traceId = '0af7651916cd43dd8448eb211c80319c';

describe('the log of requests', () => {
  const redis = useEmbeddedRedis();
  let store: TestStore;
  let lines: Record<string, unknown>[];
  const logger = {
    info: (fields: object, msg: string) => void lines.push({ ...fields, msg }),
    isLevelEnabled: () => true,
  };
  before(async () => (store = await openTestStore(redis.url)));
  after(() => store.close());
  beforeEach(async () => {
    lines = [];
    await redis.client.flushall();
  });

  it('has a line for every change of every request, with what it was about and what came of the call', async () => {
    const correlation = { incident: 'INC-7' };
    const entries = [item({ correlation }), item()];
    const { batchId, accepted } = await store.intake.acceptBatch(entries, {
      nowMs: arrivedAtMs,
      caller: 'soar',
      trace,
    });
    const [first, joined] = accepted.map((one) => one?.id);
    const log = createRequestLog(store.redis, keySpace, logger);
    const tasks = createTaskStore(store.redis, keySpace, retentionMs, log.moved);
    const { id: taskId } = await store.taskOf(first ?? '');
    const unresolved = { cause: 'lost', error: { code: 'call_timeout', message: 'No answer.' } } as const;

    await tasks.begin(taskId, 'call-1');
    await tasks.giveBack(taskId, 'call-1');
    await tasks.begin(taskId, 'call-2');
    await tasks.reconcile(taskId, 'call-2', unresolved, 1_000);
    await tasks.settle(taskId, 'call-2', {
      status: 'started',
      result: { kind: 'investigation', id: '5146' },
      attempts: 1,
    });
    await log.close();

    const shared = { batchId, taskId, machineId: machine(1), traceId, msg: 'request moved' };
    const moves = [
      { from: 'queued', to: 'dispatching', callId: 'call-1' },
      { from: 'dispatching', to: 'queued', callId: 'call-1' },
      { from: 'queued', to: 'dispatching', callId: 'call-2' },
      { from: 'dispatching', to: 'dispatching', callId: 'call-2', errorCode: 'call_timeout' },
      { from: 'dispatching', to: 'started', callId: 'call-2', investigationId: '5146' },
    ];
    assert.deepEqual(
      lines,
      moves.flatMap((move) => [
        { requestId: first, correlation, ...shared, ...move },
        { requestId: joined, ...shared, ...move },
      ]),
    );
  });

  it('never tells what a request says', async () => {
    const { id } = await store.intake.acceptOne(item({ comment: 'the secret of the house' }), {
      nowMs: arrivedAtMs,
    });
    const log = createRequestLog(store.redis, keySpace, logger);
    log.moved({ requestIds: [id], from: 'queued', status: 'cancelled' });
    await log.close();
    assert.equal(lines.length, 1);
    assert.doesNotMatch(JSON.stringify(lines), /house/);
  });

  it('is written without the records when Redis is away, and fails no request', async () => {
    const away = { hmget: () => Promise.reject(new Error('Connection is closed.')) };
    const log = createRequestLog(away, keySpace, logger);
    log.moved({ requestIds: ['a', 'b'], from: 'queued', status: 'expired', errorCode: 'deadline_reached' });
    await log.close();
    const move = { from: 'queued', to: 'expired', errorCode: 'deadline_reached', msg: 'request moved' };
    assert.deepEqual(lines, [
      { requestId: 'a', ...move },
      { requestId: 'b', ...move },
    ]);
  });

  it('reads in chunks, and lets no more wait for their records than it can hold', async () => {
    let reads = 0;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const slow = {
      async hmget(...asked: unknown[]) {
        reads += 1;
        await held;
        return store.redis.hmget(...(asked as Parameters<typeof store.redis.hmget>));
      },
    };
    const log = createRequestLog(slow, keySpace, logger);
    const ids = Array.from({ length: maxWaiting }, (_, i) => `request-${i}`);
    log.moved({ requestIds: ids.slice(0, 501), from: 'queued', status: 'dispatching' });
    log.moved({ requestIds: ids, from: 'queued', status: 'dispatching' });
    assert.equal(lines.length, maxWaiting, 'what is too much is written at once');
    await waitFor(() => reads > 0, { what: 'the first chunk', intervalMs: 1 });
    assert.equal(reads, 250, 'a chunk is read at a time');
    release();
    await log.close();
    assert.deepEqual([lines.length, reads], [maxWaiting + 501, 501]);
    log.moved({ requestIds: ['late'], from: 'queued', status: 'dispatching' });
    assert.equal(lines.at(-1)?.['requestId'], 'late');
  });
});
