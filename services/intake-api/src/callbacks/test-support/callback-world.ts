import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import type { CallbackState } from '@diq/contracts/callback-state.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import type { Settlement } from '@diq/queue/tasks/task-store.ts';
import {
  arrivedAtMs,
  item,
  keySpace,
  machine,
  openTestStore,
  type TestStore,
} from '@diq/queue/test-support/test-store.ts';
import { createLifecycle } from '@diq/runtime/processes/lifecycle.ts';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import type { CallbackSettings } from '../../config/config.ts';
import { openCallbacks, type CallbackTiming, type OpenCallbacksOptions } from '../open-callbacks.ts';
import { secretOfReceiver } from '../sign-callback.ts';

export const secret = `whsec_${Buffer.from('a key of twenty-four byte').toString('base64')}`;

/** What the receiver on this port of the loopback verifies by. */
export function secretFor(port: number): string {
  return secretOfReceiver(secret, `127.0.0.1:${port}`);
}

export const settings: CallbackSettings = {
  allowedHosts: [],
  secrets: [secret],
  maxPerMinute: 1_000,
  allowHttp: true,
  allowPrivate: true,
};

/** Short enough that a test of many attempts takes no second. */
export const quickTiming: Partial<CallbackTiming> = {
  schedule: { delaysMs: [5], giveUpAfterMs: 60_000 },
  moveIntervalMs: 10,
  timeoutMs: 5_000,
};

/** Requests in a store, and what delivers their callbacks. */
export interface CallbackWorld {
  store: TestStore;
  log: readonly Record<string, unknown>[];
  /** Accepts a request for a machine of its own and ends it; returns its id. */
  endRequest(fields?: Partial<InvestigationItem>, settlement?: Settlement, caller?: string): Promise<string>;
  /** Accepts a request that is not ended; returns its id. */
  accept(fields?: Partial<InvestigationItem>): Promise<string>;
  end(requestId: string, settlement?: Settlement): Promise<void>;
  /** The callback of a request, as its document tells it. */
  stateOf(requestId: string): Promise<CallbackState | undefined>;
  metric(name: string): Promise<Record<string, number>>;
  /** Stops delivering; the store stays. */
  stopDelivering(): Promise<'clean' | 'timed_out'>;
  close(): Promise<void>;
}

interface WorldOptions {
  url: string;
  ports: readonly number[];
  settings?: Partial<CallbackSettings>;
  timing?: Partial<CallbackTiming>;
  connection?: OpenCallbacksOptions['connection'];
}

export const started: Settlement = {
  status: 'started',
  result: { kind: 'investigation', id: '5146' },
  attempts: 1,
};
let machines = 0;

export async function openCallbackWorld(options: WorldOptions): Promise<CallbackWorld> {
  const store = await openTestStore(options.url);
  const delivering = startDelivering(store, options);

  async function accept(fields: Partial<InvestigationItem> = {}, caller?: string): Promise<string> {
    machines += 1;
    const asked = item({ machineId: machine(machines), ...fields });
    return (await store.intake.acceptOne(asked, { nowMs: arrivedAtMs, caller })).id;
  }
  async function end(requestId: string, settlement: Settlement = started): Promise<void> {
    const { id } = await store.taskOf(requestId);
    assert.deepEqual(await store.tasks.endWaiting(id, settlement), { moved: true });
  }

  return {
    store,
    log: delivering.log,
    accept,
    end,
    async endRequest(fields, settlement, caller) {
      const id = await accept(fields, caller);
      await end(id, settlement);
      return id;
    },
    async stateOf(requestId) {
      return (await store.request(requestId)).document.callback;
    },
    metric: delivering.metric,
    stopDelivering: delivering.stop,
    async close() {
      await delivering.stop();
      await store.close();
    },
  };
}

/** What an intake does for callbacks; several may share a store. */
export function startDelivering(store: TestStore, options: WorldOptions) {
  const log: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>) };
  const logger = createLogger({ level: 'debug', service: 'intake-api', destination });
  const lifecycle = createLifecycle({ logger, deadlineMs: 8_000 });
  const registry = new Registry();
  const allowedHosts = options.ports.map((port) => ({
    hostname: '127.0.0.1',
    port: String(port),
    isWildcard: false,
    path: '',
  }));
  const source = { keySpace, reader: store.reader };
  openCallbacks({
    settings: {
      callbacks: { ...settings, allowedHosts, ...options.settings },
      redisAddress: parseRedisUrl(options.url),
    },
    keySpace,
    redis: store.redis,
    sources: () => [source],
    sourceOf: () => source,
    registry,
    logger,
    lifecycle,
    timing: { ...quickTiming, ...options.timing },
    connection: options.connection,
  });
  return {
    log,
    async metric(name: string) {
      const found = await registry.getSingleMetric(name)?.get();
      return Object.fromEntries(
        (found?.values ?? []).map(({ labels, value }) => [labels['outcome'] ?? '', value]),
      );
    },
    stop: () => lifecycle.close('end of test'),
  };
}
