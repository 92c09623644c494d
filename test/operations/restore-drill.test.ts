import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { requireRedisServer, startRedisServer } from '@diq/testing/redis-process.ts';
import type { RedisServer } from '@diq/testing/redis-process.ts';
import { stopAll } from '@diq/testing/service-process.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { ApiClient } from '../end-to-end/support/api-client.ts';
import { mostInAnyWindow } from '../end-to-end/support/simulator-control.ts';
import { machineIds, startStack } from '../end-to-end/support/stack.ts';
import type { Stack } from '../end-to-end/support/stack.ts';
import { followRunbook } from './support/runbook-steps.ts';

const limit = 2;
const windowMs = 8_000;
const callTimeoutMs = 1_000;

describe('the restore drill: Redis copied to another directory and port, by the steps of the runbook', function () {
  this.timeout(120_000);
  const machines = machineIds(5);
  let servers: RedisServer[];
  let copy: string;
  let stack: Stack;
  /** The API of the latest intake. */
  let api: ApiClient;
  let batch: Awaited<ReturnType<ApiClient['postBatch']>>;

  before(requireRedisServer);
  beforeEach('let a stack make the calls of its first window', async () => {
    copy = await mkdtemp(join(tmpdir(), 'diq-restored-'));
    const redis = await startRedisServer({ appendOnly: true });
    servers = [redis];
    stack = await startStack({ redisUrl: redis.url, limit, windowMs, callTimeoutMs, workers: 1 });
    api = stack.api;
    batch = await api.postBatch(machines);
    await untilStarted(limit);
  });
  afterEach(async () => {
    await stack?.stop();
    // Of a stack that did not start as a whole.
    await stopAll();
    for (const server of servers ?? []) await server.stop();
    await rm(copy, { recursive: true, force: true });
  });

  const present = (): RedisServer => servers.at(-1) ?? assert.fail('no Redis');

  async function untilStarted(count: number): Promise<void> {
    await waitFor(async () => (await api.findBatch(batch.id)).counts['started'] === count, {
      what: `${count} requests to be started`,
      timeoutMs: 30_000,
    });
  }

  async function stopServices(): Promise<void> {
    for (const service of [...stack.workers, ...stack.intakes]) await service.stop('SIGTERM', 15_000);
  }
  const copyData = () => cp(present().dir, copy, { recursive: true });
  async function startOnCopy(): Promise<void> {
    servers.push(await startRedisServer({ dir: copy, appendOnly: true }));
  }
  async function startIntake(): Promise<void> {
    api = await stack.addIntake({ REDIS_URL: present().url });
  }
  async function startWorker(): Promise<void> {
    await stack.addWorker({ REDIS_URL: present().url });
  }

  /** Every machine was called once, in order, and the quota was kept from the first call to the last. */
  async function judge(): Promise<void> {
    const log = await stack.control.calls();
    assert.deepEqual(log.calls.map((call) => call.machineId).toSorted(), machines.toSorted());
    assert.ok(mostInAnyWindow(log) <= limit, `${mostInAnyWindow(log)} calls in one window`);
  }

  it('with all its data: work goes on, the quota is kept, nothing is lost and every id can be read', async () => {
    await followRunbook('Move Redis to another place', {
      'Stop the workers, then the intakes.': stopServices,
      'Stop Redis.': () => present().kill('SIGTERM'),
      'Copy its data directory to the new place.': copyData,
      'Start the new Redis on the copy.': startOnCopy,
      'Give intakes and workers the new address.': async () => {},
      'Start the intakes and look.': async () => {
        await startIntake();
        const { used } = await api.quota();
        const { calls } = await stack.control.calls();
        assert.ok(used >= calls.filter(({ atMs }) => atMs > Date.now() - windowMs).length, `used: ${used}`);
        assert.equal((await api.findBatch(batch.id)).counts['queued'], machines.length - limit);
      },
      'Start the workers.': startWorker,
    });

    const { counts } = await api.untilCompleted(batch.id, 60_000);
    assert.equal(counts['started'], machines.length, JSON.stringify(counts));
    await judge();
    const { calls } = await stack.control.calls();
    for (const { id = '', machineId } of batch.items) {
      const { status, investigationId } = await api.findRequest(id);
      const made = calls.find((call) => call.machineId === machineId);
      assert.deepEqual([status, investigationId], ['started', String(made?.investigationId)]);
    }
  });

  it('from a copy made while it ran: no window is broken, and what was started since is not started again', async () => {
    await backUp();
    const second = batch.items.slice(limit, 2 * limit).map(({ machineId = '' }) => machineId);
    await untilStarted(2 * limit);
    const later = await api.postBatch(machineIds(1));
    await present().kill('SIGKILL');

    let stoppedAtMs = 0;
    await followRunbook('Restore Redis from an older copy', {
      'Stop the workers, then the intakes.': async () => {
        await stopServices();
        stoppedAtMs = Date.now();
      },
      'Start a new Redis on the copy.': startOnCopy,
      'Give intakes and workers its address.': async () => {},
      'Start the intakes.': startIntake,
      'Pause the queue until one window after the workers stopped.': async () => {
        // On a busy machine starting took longer than a window; a pause cannot end in the past.
        const until = new Date(Math.max(stoppedAtMs + windowMs, Date.now()) + 1_000).toISOString();
        const { status } = await api.call('POST', '/v1/queue/pause', { reason: 'restored', until });
        assert.equal(status, 200);
      },
      'Cancel what was started since the copy was made.': async () => {
        for (const machineId of second) {
          const { body } = await api.call('POST', '/v1/investigations/cancel', { machineId });
          assert.deepEqual(body, { cancelled: 1, alreadyDispatched: 0, remaining: false });
        }
      },
      'Start the workers.': startWorker,
      'Tell the callers.': async () => {
        const { status } = await api.call('GET', `/v1/batches/${later.id}`);
        assert.equal(status, 404);
      },
    });

    const { counts } = await api.untilCompleted(batch.id, 60_000);
    assert.deepEqual([counts['started'], counts['cancelled']], [machines.length - limit, limit]);
    await judge();
  });

  async function backUp(): Promise<void> {
    const redis = new Redis(present().url);
    try {
      await followRunbook('Back up Redis', {
        'Keep Redis from rewriting its file.': async () => {
          await redis.config('SET', 'auto-aof-rewrite-percentage', '0');
        },
        'Wait until no rewrite is under way.': () =>
          waitFor(
            async () =>
              /aof_rewrite_in_progress:0[^]*aof_rewrite_scheduled:0/.test(await redis.info('persistence')),
            { what: 'no rewrite' },
          ).then(() => undefined),
        'Copy the data directory.': copyData,
        'Let Redis rewrite its file again.': async () => {
          await redis.config('SET', 'auto-aof-rewrite-percentage', '100');
        },
      });
    } finally {
      redis.disconnect();
    }
  }
});
