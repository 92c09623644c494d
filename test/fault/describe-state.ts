import type { FaultWorld } from './fault-world.ts';

/** What stands in Redis beside the requests, for finding out why something does not go on. */
export async function describeState({ redis: { holder }, keySpace }: FaultWorld): Promise<string> {
  const redis = await holder();
  const [seconds] = await redis.time();
  const nowMs = 1_000 * Number(seconds);
  const inMs = (times: Record<string, string>) =>
    Object.fromEntries(Object.entries(times).map(([key, at]) => [key, Number(at) - nowMs]));
  const pairs = (list: readonly string[]) =>
    Object.fromEntries(list.flatMap((member, i) => (i % 2 === 0 ? [[member, list[i + 1] ?? '']] : [])));
  const state = {
    waiting: await redis.zcard(`${keySpace}:waiting`),
    inFlight: await redis.zrange(`${keySpace}:in_flight`, '0', '-1'),
    holdsEndInMs: inMs(await redis.hgetall(`${keySpace}:holds`)),
    permitsFreeInMs: inMs(pairs(await redis.zrange(`${keySpace}:ledger:calls`, '-10', '-1', 'WITHSCORES'))),
    intents: await redis.hgetall(`${keySpace}:ledger:intents`),
    jobs: {
      prioritized: await redis.zcard(`${keySpace}:queue:prioritized`),
      wait: await redis.llen(`${keySpace}:queue:wait`),
      active: await redis.lrange(`${keySpace}:queue:active`, 0, -1),
      meta: await redis.hgetall(`${keySpace}:queue:meta`),
    },
    limiter: {
      settings: await redis.hgetall(`b_${keySpace}:permits_settings`),
      leasesEndInMs: inMs(
        pairs(await redis.zrange(`b_${keySpace}:permits_job_expirations`, '0', '-1', 'WITHSCORES')),
      ),
      clients: pairs(await redis.zrange(`b_${keySpace}:permits_client_running`, '0', '-1', 'WITHSCORES')),
    },
  };
  return JSON.stringify(state, null, 2);
}
