import type { Fault } from './fault.ts';
import { scriptAnswers } from './scripted-answers.ts';

/** The investigation is made, but the answer is cut off, no JSON, or names none. */
export const defenderGarbles: Fault = {
  name: 'defender-garbles',
  breaks: ['defender'],
  run: (world, random) =>
    scriptAnswers(world, random, 'start', [
      { kind: 'broken-body', form: 'truncated' },
      { kind: 'broken-body', form: 'not-json' },
      { kind: 'broken-body', form: 'no-value' },
    ]),
};
