import { describeRedisTrouble } from '@diq/runtime/describe-redis-trouble.ts';
import type { HealthReport } from '@diq/runtime/ops-routes.ts';

interface ReadyCheckDeps {
  /** Rejects while Redis takes no writes. */
  probeWrite: () => Promise<void>;
  /** Why new work is refused, where it is for want of memory. */
  describeMemory: () => string | undefined;
  closing: AbortSignal;
}

/** Ready while Redis takes writes and nobody has told the service to stop: one that can only read accepts nothing. */
export function createReadyCheck({
  probeWrite,
  describeMemory,
  closing,
}: ReadyCheckDeps): () => Promise<HealthReport> {
  return async () => {
    if (closing.aborted) return { ok: false, checks: { service: 'is being stopped' } };
    try {
      await probeWrite();
      const memory = describeMemory();
      // Still ready: it answers what is asked, and takes what frees memory, such as cancelling.
      return { ok: true, checks: { redis: 'takes writes', ...(memory === undefined ? {} : { memory }) } };
    } catch (error) {
      return { ok: false, checks: { redis: describeRedisTrouble(error) } };
    }
  };
}
