import type { SendDeadline } from './execute-task.ts';

export interface SendDeadlineOptions {
  /** From the spending of a permit until its call must have begun. */
  beginWithinMs: number;
  /** From the spending of a permit until its call is over, as the ledger counts it. */
  permitTimeoutMs: number;
}

/**
 * Keeps a process that was frozen after it took a permit from using it late. Two clocks, because either can miss time:
 * the monotonic one may stand still while the machine sleeps, the wall clock can be set back.
 */
export function startSendDeadline({ beginWithinMs, permitTimeoutMs }: SendDeadlineOptions): SendDeadline {
  const monotonicMs = performance.now();
  const wallMs = Date.now();
  const isWithin = (limitMs: number) =>
    performance.now() - monotonicMs < limitMs && Date.now() - wallMs < limitMs;
  return { mayBegin: () => isWithin(beginWithinMs), mayStillSend: () => isWithin(permitTimeoutMs) };
}
