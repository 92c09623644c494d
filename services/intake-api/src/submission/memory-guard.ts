import { z } from 'zod';
import { usualBytes as bytesPerRequest } from '@diq/queue/admission/stored-bytes.ts';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { BackPressureSettings } from '../config/config.ts';
import { ProblemError } from '../http/problem-error.ts';
import { retryAfterSeconds } from '../http/retry-after.ts';

const memory = z.object({
  used_memory: z.coerce.number(),
  maxmemory: z.coerce.number(),
  // Buffers for the append-only file and for replicas, which the server does not count either.
  mem_not_counted_for_evict: z.coerce.number().default(0),
});

export type MemoryGuard = ReturnType<typeof createMemoryGuard>;

/**
 * Refuses new work while a server is nearly full, so that there is room for what follows from what was accepted: calls,
 * outcomes, callbacks, cancelling. How full it is was read a second ago at most, and what was let in since is counted on.
 */
export function createMemoryGuard(
  redis: { info(section: 'memory'): Promise<string> },
  settings: Pick<BackPressureSettings, 'maxBacklog' | 'maxMemoryShare' | 'maxMemoryShareOfCaller'>,
  logger: Pick<Logger, 'warn'>,
) {
  const { maxMemoryShare: maxShare, maxMemoryShareOfCaller: maxShareOfCaller, maxBacklog } = settings;
  let usedBytes = 0;
  let maxBytes = 0;
  let admittedBytes = 0;
  let countedBytes = 0;
  let hasWarned = false;

  function warnOnce(): void {
    if (hasWarned) return;
    hasWarned = true;
    logger.warn(
      'Redis does not report its memory use: new work is rejected only when Redis is full (docs/deploy.md)',
    );
  }

  function noteMax(bytes: number): void {
    if (bytes === maxBytes) return;
    maxBytes = bytes;
    const needed = maxBacklog * bytesPerRequest;
    const room = Math.floor(maxShare * bytes);
    if (bytes === 0 || needed <= room) return;
    logger.warn(
      { maxBacklog, bytesPerRequest, needed, maxmemory: bytes, room },
      'INTAKE_MAX_BACKLOG exceeds the memory of Redis: new work will be rejected for lack of memory earlier',
    );
  }

  const shareWith = (bytes: number) => {
    if (maxBytes === 0) return 0;
    return (usedBytes + admittedBytes - countedBytes + bytes) / maxBytes;
  };

  return {
    /** Reads how full Redis is. Never rejects; where Redis does not tell, nothing is refused. */
    async refresh(): Promise<void> {
      // Recorded before the reading or not: counted twice at most for one interval.
      const admittedBefore = admittedBytes;
      try {
        const read = memory.parse(fieldsOf(await redis.info('memory')));
        usedBytes = read.used_memory - read.mem_not_counted_for_evict;
        countedBytes = admittedBefore;
        noteMax(read.maxmemory);
      } catch (error) {
        // Away: routes say so by themselves. Otherwise it may not be asked, or speaks otherwise.
        if (!isRedisTrouble(error) || /NOPERM|unknown command/.test(error.message)) warnOnce();
      }
    },
    /** @throws ProblemError where so many bytes more would pass the bound */
    admit(bytes: number): void {
      if (shareWith(bytes) <= maxShare) {
        admittedBytes += bytes;
        return;
      }
      throw new ProblemError('redis_full', {
        detail: `Redis uses ${percent(shareWith(0))} of its memory, and accepts no new work above ${percent(maxShare)}; nothing of this request was accepted.`,
        headers: { 'Retry-After': retryAfterSeconds(undefined) },
      });
    },
    /** Bytes that may be stored of one caller; `undefined`: as many as there is room for. */
    mostOfCaller(): number | undefined {
      if (maxBytes === 0 || maxShareOfCaller === undefined) return undefined;
      return Math.floor(maxShareOfCaller * maxBytes);
    },
    /** Of `maxmemory`, 0 to about 1; 0 where there is none or Redis does not tell. */
    usedShare: () => (maxBytes === 0 ? 0 : usedBytes / maxBytes),
    /** The end of a sentence that begins with Redis, while new work is refused whatever its size. */
    describe: () =>
      shareWith(0) > maxShare
        ? `uses ${percent(shareWith(0))} of its memory: new requests are refused from ${percent(maxShare)} on`
        : undefined,
  };
}

function fieldsOf(info: string): Record<string, string> {
  return Object.fromEntries(
    info.split(/\r?\n/).flatMap((line) => {
      const [name, value] = line.split(':');
      return name === undefined || value === undefined ? [] : [[name, value]];
    }),
  );
}

function percent(share: number): string {
  return `${Math.min(100, Math.round(share * 100))} %`;
}
