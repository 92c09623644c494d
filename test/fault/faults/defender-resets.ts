import type { Fault } from './fault.ts';
import { scriptAnswers } from './scripted-answers.ts';

/** The connection is reset before and after the investigation was made. */
export const defenderResets: Fault = {
  name: 'defender-resets',
  breaks: ['defender'],
  run: (world, random) =>
    scriptAnswers(world, random, 'start', [
      { kind: 'reset', when: 'before' },
      { kind: 'reset', when: 'after' },
    ]),
};
