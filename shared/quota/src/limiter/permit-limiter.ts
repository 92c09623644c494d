import { randomUUID } from 'node:crypto';
import Bottleneck from 'bottleneck';
import type { RedisConnection } from '@diq/redis/connection.ts';
import {
  clearJobTimers,
  dropLostRaces,
  goByServerClock,
  keepRunning,
  leaseOf,
  repairAfterStateLoss,
  resubscribeAtReconnect,
  takeOff,
} from './bottleneck-repair.ts';
import type { LedgerSettings } from '../ledger/ledger.ts';
import { shortestLimit } from '../limits.ts';
import { loadScript, runScriptsWhenFull } from '@diq/redis/script.ts';

/** The right to make one call, in this process' hands. Exactly one of `keepForOneWindow` and `release` is called, once. */
export interface Permit {
  /** A call may follow: from now on the permit stays out if this process ends. Before, it comes back in a moment. */
  spent(): void;
  /** The ledger has recorded the end of the call: its windows run from `fromMs` on, by the clock of Redis. */
  counted(fromMs: number): void;
  /** The call may have left: the permit comes back one (the shortest) window after the time that `counted` got, or after now. */
  keepForOneWindow(): void;
  /** No call was made: the permit comes back at once. */
  release(): void;
}

export type PermitLimiter = Awaited<ReturnType<typeof createPermitLimiter>>;

/** Bottleneck's two connections, which all limiters of a process share. */
export type LimiterConnection = ReturnType<typeof openLimiterConnection>;

export interface PermitLimiterOptions extends LedgerSettings {
  connection: LimiterConnection;
  keySpace: string;
  /** How long a permit that is not spent outlives its process. Default 3 s. */
  unspentLeaseMs?: number;
  onError(error: unknown): void;
}

/** Where this process ends a lease, it is a moment later than the ledger, which rounds up to the millisecond, and never earlier. */
const afterLedgerMs = 3;
/** Below the 10 s after which Bottleneck forgets a client. Leases that are over it ends at each question as well. */
const heartbeatMs = 5_000;
/** How long Bottleneck may take over an answer that takes it one round trip. */
const answerWithinMs = 1_000;
const extendLease = loadScript(new URL('./lua/extend-lease.lua', import.meta.url), { whenFull: true });

/** @param redis the limiter's own from now on, and closed with it; it fails at once when Redis is away. Another one like it is opened to subscribe */
export function openLimiterConnection(redis: RedisConnection, onError: (error: unknown) => void) {
  let isClosed = false;
  const client = goByServerClock(redis);
  runScriptsWhenFull(client);
  const bottleneck = new Bottleneck.IORedisConnection({ client });
  const report = (error: unknown) => {
    if (!isClosed) onError(error);
  };
  bottleneck.on('error', report);
  repairAfterStateLoss(bottleneck);
  resubscribeAtReconnect(bottleneck, report);
  return {
    bottleneck,
    redis,
    async close() {
      isClosed = true;
      await bottleneck.disconnect(false);
    },
  };
}

const limiterId = (keySpace: string) => `${keySpace}:permits`;

/** A key that the limiter of a queue has in Redis, by a name that Bottleneck makes. */
export const limiterKey = (keySpace: string) => `b_${limiterId(keySpace)}_settings`;

/**
 * Bottleneck as a rolling window: a permit is a Bottleneck job that runs for one whole window, and as many of them as the
 * limit may run at a time in all processes together. Of several limits it is the one of the shortest window: leases and
 * timers are no more than it allows, and longer windows are held by the ledger alone, which is read before a permit is
 * asked for. The lease stands in Redis with an expiry, so a process that dies frees
 * nothing early that it may have called with, and keeps nothing from others that it has not. It schedules; the ledger
 * decides (a permit from here is only the right to ask the ledger).
 */
export async function createPermitLimiter(options: PermitLimiterOptions) {
  const { connection, callTimeoutMs, unspentLeaseMs = 3_000 } = options;
  const { windowMs } = shortestLimit(options.limits);
  let isClosed = false;
  const onError = (error: unknown) => {
    if (!isClosed) options.onError(error);
  };
  const limiter = await openBottleneck(options, onError);
  const leaseMs = windowMs + callTimeoutMs + afterLedgerMs;
  const timers = new Set<NodeJS.Timeout>();
  /** Permits whose call may still be made or under way. */
  let inHand = 0;

  function lease(onGranted: (permit: Permit) => void): Promise<void> {
    const id = randomUUID();
    // Also for a permit whose reply is lost: no process has it, and no other would get it.
    const expiration = Math.min(unspentLeaseMs, leaseMs);
    return limiter.schedule({ id, expiration }, () => {
      keepRunning(limiter, id);
      return holdLease(id, onGranted);
    });
  }

  function extend(id: string, until: 'in' | 'at', ms: number): void {
    const found = leaseOf(limiter, id);
    if (found) extendLease(connection.redis, [found.key], [found.member, until, ms]).catch(onError);
  }

  function holdLease(id: string, onGranted: (permit: Permit) => void): Promise<void> {
    return new Promise((endLease) => {
      inHand += 1;
      let counted: { fromMs: number; knownAtMs: number } | undefined;
      onGranted({
        counted: (fromMs) => void (counted = { fromMs, knownAtMs: performance.now() }),
        release() {
          inHand -= 1;
          endLease();
        },
        spent: () => extend(id, 'in', leaseMs),
        keepForOneWindow() {
          inHand -= 1;
          // The call is over, so the lease need not outlast it by the call timeout. In Redis it ends when the slot opens there: what
          // this process does about it comes later, by two round trips or by all that it is busy with.
          const nowMs = performance.now();
          const leftMs = Math.max(0, (counted?.knownAtMs ?? nowMs) + windowMs + afterLedgerMs - nowMs);
          if (counted) extend(id, 'at', counted.fromMs + windowMs);
          else extend(id, 'in', Math.ceil(leftMs));
          const timer = setTimeout(() => {
            timers.delete(timer);
            endLease();
          }, leftMs);
          timers.add(timer);
          timer.unref();
        },
      });
    });
  }

  return {
    /** A permit, or `undefined` when all are out. Never waits for one. Rejects when Redis cannot be asked. */
    tryAcquire: () => acquireWithin(answerWithinMs, lease, onError),
    /** How many permits were acquired and neither kept nor released. */
    inHand: () => inHand,
    /** Permits that are out stay out until their lease is over. */
    close() {
      isClosed = true;
      for (const timer of timers) clearTimeout(timer);
      clearJobTimers(limiter);
      takeOff(limiter, connection.bottleneck, options.onError);
    },
  };
}

async function openBottleneck(
  { connection, keySpace, limits, onError: report }: PermitLimiterOptions,
  onError: (error: unknown) => void,
) {
  const maxConcurrent = shortestLimit(limits).calls;
  const limiter = new Bottleneck({
    id: limiterId(keySpace),
    connection: connection.bottleneck,
    datastore: 'ioredis',
    maxConcurrent,
    highWater: 0,
    strategy: Bottleneck.strategy.OVERFLOW,
    heartbeatInterval: heartbeatMs,
  });
  limiter.on('error', onError);
  dropLostRaces(limiter);
  try {
    await limiter.ready();
    // The first client's settings stay in Redis: without this a new limit would change nothing.
    // It is a promise, whatever its type says.
    await Promise.resolve(limiter.updateSettings({ maxConcurrent, highWater: 0 }));
  } catch (error) {
    takeOff(limiter, connection.bottleneck, report);
    throw error;
  }
  return limiter;
}

/**
 * Bottleneck answers in two round trips, if at all: one that was lost in an outage leaves its job waiting, to be started
 * once Redis is back. Its caller has given up by then, so a late permit goes straight back.
 */
function acquireWithin(
  withinMs: number,
  lease: (onGranted: (permit: Permit) => void) => Promise<void>,
  onError: (error: unknown) => void,
): Promise<Permit | undefined> {
  return new Promise((resolve, reject) => {
    let waiting = true;
    const settle = (act: () => void) => {
      waiting = false;
      clearTimeout(giveUp);
      act();
    };
    const giveUp = setTimeout(
      () => settle(() => reject(new Error(`no answer on a permit within ${withinMs} ms`))),
      withinMs,
    );
    lease((permit) => (waiting ? settle(() => resolve(permit)) : permit.release())).catch(
      (error: unknown) => {
        if (!waiting) return isExpected(error) ? undefined : onError(error);
        settle(() => (isExpected(error) ? resolve(undefined) : reject(error)));
      },
    );
  });
}

/** Dropped because all permits are out, or a lease that ran to its end: neither is a fault. */
function isExpected(error: unknown): boolean {
  return error instanceof Bottleneck.BottleneckError;
}
