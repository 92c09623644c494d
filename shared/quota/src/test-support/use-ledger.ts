import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { ledgerKeys } from '../ledger/ledger-keys.ts';
import { createLedger, type Ledger, type LedgerSettings } from '../ledger/ledger.ts';
import type { LedgerSnapshot, SpendReply } from '../ledger/replies.ts';
import { useLedgerConnections } from './ledger-connections.ts';

export const hourMs = 3_600_000;
export const keySpace = 'test:{ledger}';
/** Settings with one limit, or with several instead. */
export interface TestSettings extends Partial<LedgerSettings> {
  limit?: number;
  windowMs?: number;
}

export const usual = { limit: 2, windowMs: hourMs, callTimeoutMs: 30_000 };
export const started = { outcome: 'started', facts: { investigationId: '5146', httpStatus: 201 } };

export function settingsOf(given: TestSettings): LedgerSettings {
  const { limit, windowMs, ...settings } = { ...usual, ...given };
  return { limits: [{ calls: limit, windowMs }], ...settings };
}

/** The first limit of a snapshot, in the words of a single one. */
export function limitOf({ limits: [first] }: LedgerSnapshot) {
  const { calls: limit, quotaCalls: quotaLimit, windowMs, lower } = first;
  return { limit, quotaLimit, windowMs, limitUntilMs: lower?.untilMs };
}

/** A call by number: call 1 is `call-1` for `task-1`. */
export const call = (n: number, task = n) => ({
  callId: `call-${n}`,
  taskId: `task-${task}`,
  machineId: `machine-${task}`,
});

export function usedOf(reply: SpendReply): number | undefined {
  return reply.kind === 'granted' ? reply.used : undefined;
}

/** A server for the tests, emptied before each. */
interface Server {
  readonly url: string;
  readonly client: RedisConnection;
  flush(): Promise<void>;
}

/** Call inside a `describe`: each test finds an empty ledger with the usual settings, opened and without a hold. */
export function useLedger(server: Server) {
  const connections = useLedgerConnections();
  let connection: RedisConnection;
  let ledger: Ledger;

  const unopened = (settings: TestSettings = {}) => createLedger(connection, keySpace, settingsOf(settings));
  const withSettings = async (settings: TestSettings = {}) => {
    const another = unopened(settings);
    await another.open();
    await another.endColdStart();
    await server.client.hdel(ledgerKeys(keySpace).holds, 'cold_start');
    return another;
  };
  beforeEach('empty the ledger', async () => {
    await server.flush();
    connection = await connections.open(server.url);
    ledger = await withSettings();
  });

  return {
    get ledger() {
      return ledger;
    },
    get connection() {
      return connection;
    },
    /** For looking and arranging. */
    get redis() {
      return server.client;
    },
    open: () => connections.open(server.url),
    /** The same ledger as a process that has not opened it has it. */
    unopened,
    /** The same ledger as another process has it, opened, with these settings. */
    withSettings,
    /** From here on `ledger` is an empty one that never had other settings. */
    async use(settings: TestSettings) {
      await server.flush();
      ledger = await withSettings(settings);
    },
    async granted(asked: ReturnType<typeof call>) {
      const reply = await ledger.spend(asked);
      assert.equal(reply.kind, 'granted', JSON.stringify(reply));
      return reply;
    },
    /** Waits on Redis' clock. */
    async untilPast(timeMs = 0) {
      for (;;) {
        const [seconds, micros] = await server.client.time();
        if (Number(seconds) * 1_000 + Number(micros) / 1_000 > timeMs) return;
        await delay(2);
      }
    },
    everything: () => contentsOf(server.client),
  };
}

/** All keys with their contents, for comparison. */
async function contentsOf(redis: RedisConnection): Promise<Record<string, unknown>> {
  const names = await redis.keys('*');
  const contents = await Promise.all(
    names.map(async (name) => {
      const type = await redis.type(name);
      if (type === 'string') return redis.get(name);
      return type === 'zset' ? redis.zrange(name, 0, '-1', 'WITHSCORES') : redis.hgetall(name);
    }),
  );
  return Object.fromEntries(names.map((name, i) => [name, contents[i]]));
}
