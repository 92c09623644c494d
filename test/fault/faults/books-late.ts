import { setTimeout as delay } from 'node:timers/promises';
import { books } from './books-away.ts';
import type { Fault } from './fault.ts';

/** What a call started appears in Defender's lists some seconds after its answer. */
export const booksLate: Fault = {
  name: 'books-late',
  breaks: ['defender'],
  async run({ control, windowMs, reconcileGraceMs }, random) {
    // Shorter than the grace for lost answers: after that, nothing shown means that nothing was done.
    const action = { kind: 'late', ms: random.between(500, Math.round(0.6 * reconcileGraceMs)) };
    for (const read of books) await control.addFault({ target: 'read', times: null, when: { read }, action });
    await delay(windowMs * random.between(2, 5));
    await control.clearFaults();
  },
};
