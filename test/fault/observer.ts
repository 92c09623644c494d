import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { FaultWorld } from './fault-world.ts';

/** A time in which a slot was free, work was ready and no hold was on, seen without a break. */
export interface IdleStretch {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What stands in Redis at one moment. */
export interface QueueView {
  readonly waiting: number;
  readonly inFlight: number;
  readonly reconciling: number;
  readonly ready: number;
  /** A call could be made by the ledger, if no hold were on. */
  readonly free: boolean;
  readonly held: boolean;
}

export interface Observer {
  readonly idle: readonly IdleStretch[];
  /** Rejects while Redis cannot be asked. */
  look(): Promise<QueueView>;
  stop(): Promise<void>;
}

const everyMs = 100;
const giveUpMs = 1_000;

// One script, so that what it compares belongs together: a slot that was taken between two looks is not free. It counts
// by the rules of shared/quota/README.md, written here a second time so that an error of the ledger's scripts is not shared.
const script = `
local space, limit, window = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local held = 0
local holds = redis.call('HVALS', space .. ':holds')
for i = 1, #holds do
  if (tonumber(holds[i]) or 0) > now then held = 1 end
end
-- While the path is in doubt one call at a time tries it.
if redis.call('HLEN', space .. ':holds:streaks') > 0 and redis.call('ZCARD', space .. ':in_flight') > 0 then held = 1 end
local used = redis.call('ZRANGEBYSCORE', space .. ':ledger:calls', '(' .. (now - window), '+inf')
local free = #used < limit and 1 or 0
-- While another program is known to use the quota, fewer calls fit; those that were throttled do not weigh in that.
local estimate = redis.call('HGET', space .. ':ledger:estimate', string.format('%.0f', window)) or ''
local fit, ends = string.match(estimate, '^(%d+)/(%d+)$')
if fit and tonumber(ends) > now then
  local fitted = 0
  for i = 1, #used do
    local entry = redis.call('HGET', space .. ':ledger:entries', used[i]) or ''
    if not string.find(entry, '"outcome":"throttled"', 1, true) then fitted = fitted + 1 end
  end
  if fitted >= tonumber(fit) then free = 0 end
end
return {
  redis.call('ZCARD', space .. ':waiting'), redis.call('ZCARD', space .. ':in_flight'),
  redis.call('ZCARD', space .. ':reconciling'),
  redis.call('ZCARD', space .. ':queue:prioritized') + redis.call('LLEN', space .. ':queue:wait'), free, held }`;
const reply = z
  .tuple([z.number(), z.number(), z.number(), z.number(), z.number(), z.number()])
  .transform(([waiting, inFlight, reconciling, ready, free, held]): QueueView => {
    return { waiting, inFlight, reconciling, ready, free: free === 1, held: held === 1 };
  });

/** Watches, by a connection of its own, whether slots stay unused. */
export function startObserver({ redisClient, keySpace, limit, windowMs }: FaultWorld): Observer {
  const idle: IdleStretch[] = [];
  let fromMs: number | undefined;
  let isOver = false;

  const look = async () =>
    reply.parse(await within(giveUpMs, redisClient.eval(script, 1, keySpace, limit, windowMs)));
  function note(isIdle: boolean): void {
    const nowMs = Date.now();
    if (isIdle) fromMs ??= nowMs;
    else if (fromMs !== undefined) {
      idle.push({ fromMs, toMs: nowMs });
      fromMs = undefined;
    }
  }
  async function run(): Promise<void> {
    while (!isOver) {
      const view = await look().catch(() => undefined);
      note(view !== undefined && view.ready > 0 && view.free && !view.held);
      await delay(everyMs);
    }
    note(false);
  }

  const running = run();
  return {
    idle,
    look,
    async stop() {
      isOver = true;
      await running;
    },
  };
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const timer = new AbortController();
  try {
    return await Promise.race([
      promise,
      delay(ms, undefined, { signal: timer.signal }).then(() => Promise.reject(new Error('no answer'))),
    ]);
  } finally {
    timer.abort();
  }
}
