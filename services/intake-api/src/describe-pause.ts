import type { Pause } from '@diq/queue/queue-pause.ts';
import { isoTime } from './iso-time.ts';

/** A pause as callers are told of it; `until` is null for one that lasts until the queue is resumed. */
export function describePause(pause: Pause | undefined) {
  if (!pause) return null;
  const { by, reason, sinceMs, untilMs } = pause;
  return { by, reason, since: isoTime(sinceMs), until: isoTime(untilMs) ?? null };
}
