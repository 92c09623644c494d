import type { SendDeadline } from './run-dispatch.ts';

/**
 * The latest time at which a call may still be sent, counted from before its permit was spent. Two clocks, because
 * either can miss time: the monotonic one may stand still while the machine sleeps, the wall clock can be set back.
 */
export function startSendDeadline(withinMs: number): SendDeadline {
  const monotonicMs = performance.now();
  const wallMs = Date.now();
  return {
    hasPassed: () => performance.now() - monotonicMs >= withinMs || Date.now() - wallMs >= withinMs,
  };
}
