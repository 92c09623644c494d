import type Bottleneck from 'bottleneck';

type Callback = (error: Error | null, reply?: unknown) => void;
interface ScriptSource {
  __scriptFn__(name: string): (...args: unknown[]) => unknown;
}
interface JobStore {
  _dropAllQueued(): void;
  _scheduled: Record<
    string,
    { timeout?: NodeJS.Timeout; expiration?: NodeJS.Timeout; job: { options: { id: string } } }
  >;
}

/** Codes that Bottleneck recognises only when they are the whole error text. */
const prefixedCode = /^ERR (?=SETTINGS_KEY_NOT_FOUND|UNKNOWN_CLIENT|OVERWEIGHT)/;

/**
 * Bottleneck 2.19 repairs itself after a loss of its state by comparing error texts exactly. Redis 7 and Valkey put
 * `ERR ` in front of a script's errors, so it would stay broken for the life of the process (SGrondin/bottleneck#205).
 * This strips the prefix from those codes before Bottleneck sees them.
 */
export function repairAfterStateLoss(connection: Bottleneck.IORedisConnection): void {
  const source = connection as unknown as ScriptSource;
  const original = source.__scriptFn__.bind(connection);
  source.__scriptFn__ = (name) => {
    const script = original(name);
    return (...args) => {
      const callback = args.pop() as Callback;
      return script(...args, (error: Error | null, reply: unknown) => {
        if (error) error.message = error.message.replace(prefixedCode, '');
        callback(error, reply);
      });
    };
  };
}

/**
 * Bottleneck decides in two steps whether a job may run, and between them another process may take the last slot. Then
 * it keeps the job waiting, although it was told to keep none (`highWater: 0`), and from then on every later one behind
 * it. This drops the job as soon as the second step was refused.
 */
export function dropLostRaces(limiter: Bottleneck): void {
  limiter.on('debug', (message: string, data: unknown) => {
    const isRefused = message.startsWith('Drained ') && (data as { success?: boolean }).success === false;
    // Told while it still holds the lock of its queue: no waiting job can be on its way into a slot now.
    if (isRefused) (limiter as unknown as JobStore)._dropAllQueued();
  });
}

/** Forgets the timers of running jobs, which would keep a process alive for one whole lease; Redis keeps the leases. */
export function clearJobTimers(limiter: Bottleneck): void {
  for (const { timeout, expiration } of Object.values((limiter as unknown as JobStore)._scheduled)) {
    clearTimeout(timeout);
    clearTimeout(expiration);
  }
}

/**
 * Where in Redis the lease of a running job ends, and under which name. Bottleneck sets it once, when the job starts and
 * nobody can know how long its call will take.
 */
export function leaseOf(limiter: Bottleneck, jobId: string): { key: string; member: string } | undefined {
  const { _scheduled: running } = limiter as unknown as JobStore;
  const member = Object.keys(running).find((index) => running[index]?.job.options.id === jobId);
  return member === undefined ? undefined : { key: `b_${limiter.id}_job_expirations`, member };
}
