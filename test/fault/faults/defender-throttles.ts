import type { Fault } from './fault.ts';
import { scriptAnswers } from './scripted-answers.ts';

/** 429 with Retry-After in seconds, as a date, with "again at once", and without one. */
export const defenderThrottles: Fault = {
  name: 'defender-throttles',
  breaks: ['defender'],
  run: (world, random) =>
    scriptAnswers(world, random, 'start', [
      { kind: 'status', status: 429, retryAfter: 1 },
      { kind: 'status', status: 429, retryAfter: new Date(Date.now() + 2_000).toUTCString() },
      { kind: 'status', status: 429, retryAfter: 0 },
      { kind: 'status', status: 429 },
    ]),
};
