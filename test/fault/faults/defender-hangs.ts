import type { Fault } from './fault.ts';
import { scriptAnswers } from './scripted-answers.ts';

/** No answer before the call timeout, with the investigation made and not made. */
export const defenderHangs: Fault = {
  name: 'defender-hangs',
  breaks: ['defender'],
  run: (world, random) =>
    scriptAnswers(world, random, 'start', [{ kind: 'hang' }, { kind: 'hang', made: true }]),
};
