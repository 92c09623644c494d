import type { Fault } from './fault.ts';
import { scriptAnswers } from './scripted-answers.ts';

/** 500 and 503, with the investigation made and not made. */
export const defenderFails: Fault = {
  name: 'defender-fails',
  breaks: ['defender'],
  run: (world, random) =>
    scriptAnswers(world, random, 'start', [
      { kind: 'status', status: 500 },
      { kind: 'status', status: 500, made: true },
      { kind: 'status', status: 503, retryAfter: 1 },
      { kind: 'status', status: 503, made: true },
    ]),
};
