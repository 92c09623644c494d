import { Counter, Gauge, type Registry } from 'prom-client';

/**
 * How an attempt ended: `retried` will be tried again; `failed` was the last one; `gone` was answered 410; `refused` was
 * not made, because the settings or the address forbid it, and will be tried again.
 */
const callbackOutcomes = ['delivered', 'retried', 'failed', 'gone', 'refused'] as const;

export type CallbackMetrics = ReturnType<typeof createCallbackMetrics>;

/** Series exist from the start, also where callbacks are not set up. */
export function createCallbackMetrics(registry: Registry) {
  const registers = [registry];
  const total = new Counter({
    name: 'diq_callbacks_total',
    help: 'Attempts to deliver a callback by how they ended. "retried" rising: receivers fail. "refused" rising: settings or DNS forbid the call.',
    labelNames: ['outcome'] as const,
    registers,
  });
  for (const outcome of callbackOutcomes) total.inc({ outcome }, 0);
  const pending = new Gauge({
    name: 'diq_callbacks_pending',
    help: 'Callbacks that are due or wait for another attempt, over all intakes. Rising: receivers fail, or are called less often than is due.',
    registers,
  });
  return {
    countAttempt: (outcome: (typeof callbackOutcomes)[number]) => total.inc({ outcome }),
    showPending: (number: number) => pending.set(number),
  };
}
