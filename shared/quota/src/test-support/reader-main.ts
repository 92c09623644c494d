import { Redis } from 'ioredis';
import type { Limit } from '@diq/contracts/operations.ts';
import { createReadBudget } from '../reads/read-budget.ts';
import { arrive } from './wire.ts';

// A process that reads as often as the budget lets it, and says when each of its reads arrived at Defender.

interface Settings {
  url: string;
  tenantId: string;
  limits: Limit[];
  timeoutMs: number;
  lastsMs: number;
}

const { url, tenantId, limits, timeoutMs, lastsMs } = JSON.parse(process.argv[2] ?? '') as Settings;
const redis = new Redis(url);
const budget = createReadBudget({ redis, tenantId, limits, timeoutMs });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
await redis.ping();
const endsAt = performance.now() + lastsMs;
const arrivals: number[] = [];
while (performance.now() < endsAt) {
  const read = await budget.take();
  if (read.granted) {
    await pause(arrivals.length % 3);
    const arrivedAt = await arrive(redis, Number.MAX_SAFE_INTEGER / 1_000);
    if (arrivedAt !== undefined) arrivals.push(arrivedAt);
    await read.answered();
  } else await pause(Math.min(read.retryAfterMs, endsAt - performance.now()));
}
redis.disconnect();
process.send?.(arrivals);
