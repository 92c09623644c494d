import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import { trimEnv, type Env } from '@diq/runtime/settings/read-settings.ts';
import type { ServiceProcess } from '@diq/runtime/processes/spawn-service.ts';
import { openService, type OpenServiceOptions } from './open-service.ts';
import { serviceEnvironment } from './service-environment.ts';

export interface StartTogetherOptions {
  readonly env: Env;
  readonly lifecycle: Lifecycle;
  /** Gets every line that a service writes. */
  readonly onLine: NonNullable<OpenServiceOptions['onLine']>;
  readonly onLost: (reason: string) => void;
  /** Gets the warning that nothing will be kept. */
  readonly warn: (text: string) => void;
}

export interface StartedTogether {
  intake: ServiceProcess;
  worker: ServiceProcess;
}

/** A little longer than a service's own limit of 10 s, so that it can say what kept it. */
const stopTimeoutMs = 12_000;
/** Embedded Valkey has nothing to finish or to write down. */
const redisStopTimeoutMs = 3_000;

/** When one service does not start: for so long the other may say what is wrong with it. */
const tellFaultsWithinMs = 3_000;

/** What closing takes at the most: one after the other. */
export const stopAllTimeoutMs = 2 * stopTimeoutMs + redisStopTimeoutMs;

/**
 * Starts intake and worker, before them an embedded Valkey where the environment names no Redis. They are closed in
 * the order intake, worker, Valkey: first nothing more comes in, then what is under way is finished.
 *
 * @throws AggregateError of all services that did not start, once each has said so: faults of both are seen together
 */
export async function startTogether(options: StartTogetherOptions): Promise<StartedTogether> {
  const { lifecycle, onLine, onLost } = options;
  const shared = { lifecycle, onLine, onLost };
  const given = trimEnv(options.env);
  const env = namesRedis(given) ? given : { ...given, REDIS_URL: await openEmbeddedRedis(options) };
  const giveUp = new AbortController();
  const open = (service: 'worker' | 'intake-api') =>
    openService(service, {
      ...shared,
      stopTimeoutMs,
      // A worker that finds no Redis waits for it, however long.
      readyTimeoutMs: Infinity,
      signal: giveUp.signal,
      env: serviceEnvironment(service, env),
    });
  // Closed in reverse order.
  const starting = [open('worker'), open('intake-api')] as const;
  // The other may wait for Redis and would not end by itself.
  Promise.all(starting).catch(() => setTimeout(() => giveUp.abort(), tellFaultsWithinMs).unref());
  const [worker, intake] = await Promise.allSettled(starting);
  if (worker.status === 'fulfilled' && intake.status === 'fulfilled') {
    return { intake: intake.value, worker: worker.value };
  }
  const failed = [intake, worker].filter((start) => start.status === 'rejected');
  throw new AggregateError(failed.map((start) => start.reason as unknown));
}

async function openEmbeddedRedis(options: StartTogetherOptions): Promise<string> {
  options.warn(
    'REDIS_URL is not set: an embedded Valkey is used. It keeps NOTHING: every request and the record of the calls\n' +
      'made in the last hour are lost when this stops. For trying things out, never for production.',
  );
  const redis = await openService('embedded-redis', {
    ...options,
    env: { LOG_LEVEL: 'error' },
    stopTimeoutMs: redisStopTimeoutMs,
    // Valkey's own lines are no JSON and carry wrong dates; what goes wrong is logged by the process around it.
    onLine: (line, stream) => {
      if (line.startsWith('{')) options.onLine(line, stream);
    },
  });
  return `redis://127.0.0.1:${redis.ready.port}`;
}

function namesRedis(env: Env): boolean {
  return ['REDIS_URL', 'REDIS_URL_FILE', 'REDIS_SENTINELS', 'REDIS_CLUSTER_NODES'].some(
    (name) => (env[name] ?? '') !== '',
  );
}
