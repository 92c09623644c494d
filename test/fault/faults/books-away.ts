import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';

/** The lists and records in which results are followed: nothing else is read in them. */
export const books = [
  'listMachineActions',
  'listInvestigations',
  'getMachineAction',
  'getInvestigation',
] as const;

/** Defender's lists cannot be read for a while: errors, 429 with or without a time, no answer, broken answers. */
export const booksAway: Fault = {
  name: 'books-away',
  breaks: ['defender'],
  async run({ control, windowMs }, random) {
    const action = random.pick([
      { kind: 'status', status: 500 },
      { kind: 'status', status: 503, retryAfter: 2 },
      { kind: 'status', status: 429, retryAfter: 3 },
      { kind: 'hang' },
      { kind: 'broken-body', form: 'truncated' },
      { kind: 'broken-body', form: 'no-value' },
    ]);
    const away = random.chance(0.6) ? books : books.slice(0, 2);
    for (const read of away) await control.addFault({ target: 'read', times: null, when: { read }, action });
    await delay(windowMs * random.between(1, 4));
    await control.clearFaults();
  },
};
