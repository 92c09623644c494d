import type { Response } from 'express';
import { freshIds } from '@diq/queue/admission/request-ids.ts';
import type { RequestIds } from '@diq/queue/admission/request-ids.ts';

/** What one POST is recorded under. A repeat with the same Idempotency-Key gets the time and the ids of the first. */
export interface Attempt {
  nowMs: number;
  ids: RequestIds;
  /** Some of it may have been recorded before. */
  isRepeat: boolean;
}

/** The attempt that an Idempotency-Key stands for, or a new one. */
export function attemptOf(response: Response): Attempt {
  const attempt = response.locals['attempt'] as Attempt | undefined;
  return attempt ?? { nowMs: Date.now(), ids: freshIds(), isRepeat: false };
}

export function setAttempt(response: Response, attempt: Attempt): void {
  response.locals['attempt'] = attempt;
}
