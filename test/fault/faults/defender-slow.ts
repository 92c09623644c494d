import type { Fault } from './fault.ts';
import { scriptAnswers } from './scripted-answers.ts';

/** Answers that come shortly before the call timeout, at it, and just after it; the investigation is made at once. */
export const defenderSlow: Fault = {
  name: 'defender-slow',
  breaks: ['defender'],
  run: (world, random) =>
    scriptAnswers(
      world,
      random,
      'start',
      [0.5, 0.9, 1, 1.1].map((share) => ({ kind: 'delay', ms: share * world.callTimeoutMs })),
    ),
};
