import type { HealthReport } from '@diq/runtime/ops-routes.ts';

interface ReadyCheckDeps {
  ping: () => Promise<unknown>;
  closing: AbortSignal;
}

/** Ready while Redis answers and nobody has told the service to stop. */
export function createReadyCheck({ ping, closing }: ReadyCheckDeps): () => Promise<HealthReport> {
  return async () => {
    if (closing.aborted) return { ok: false, checks: { service: 'is being stopped' } };
    try {
      await ping();
      return { ok: true, checks: { redis: 'answers' } };
    } catch {
      return { ok: false, checks: { redis: 'does not answer' } };
    }
  };
}
