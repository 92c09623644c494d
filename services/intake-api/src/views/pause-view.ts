import type { Pause } from '@diq/queue/operations/queue-pause.ts';
import { isoTime } from '../estimates/iso-time.ts';

/** A pause as callers are told of it; `until` is null for one that lasts until the queue is resumed. */
export function describePause(pause: Pause | undefined) {
  if (!pause) return null;
  const { by, reason, sinceMs, untilMs } = pause;
  return { by, reason, since: isoTime(sinceMs), until: isoTime(untilMs) ?? null };
}
