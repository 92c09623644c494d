import { Redis } from 'ioredis';
import {
  createPermitLimiter,
  openLimiterConnection,
  type PermitLimiterOptions,
} from '../limiter/permit-limiter.ts';

// A process that takes all permits it gets, keeps the first for one window, has the second spent and the others neither,
// and says how many it took and when. On a message to close, it closes what it opened and does nothing more: whether it then ends shows whether anything was left running.

type Settings = Pick<PermitLimiterOptions, 'keySpace' | 'callTimeoutMs' | 'unspentLeaseMs'> & {
  url: string;
  limit: number;
  windowMs: number;
};

const { url, limit, windowMs, ...settings } = JSON.parse(process.argv[2] ?? '') as Settings;
const redis = new Redis(url);
const connection = openLimiterConnection(redis, () => undefined);
const limiter = await createPermitLimiter({
  ...settings,
  limits: [{ calls: limit, windowMs }],
  connection,
  onError() {},
});

async function close(): Promise<void> {
  limiter.close();
  await connection.close();
  redis.disconnect();
  process.disconnect();
}
process.once('message', () => void close());

let taken = 0;
const askedAtMs = Date.now();
for (;;) {
  const permit = await limiter.tryAcquire();
  if (!permit) break;
  if (taken === 0) permit.keepForOneWindow();
  if (taken === 1) permit.spent();
  taken += 1;
}
process.send?.({ taken, askedAtMs, takenAtMs: Date.now() });
