import { setTimeout as delay } from 'node:timers/promises';
import { books } from './books-away.ts';
import type { Fault } from './fault.ts';

const forms = [
  'reopened',
  'twice',
  'end-before-start',
  'unknown-state',
  'foreign-beside',
  'foreign-instead',
] as const;

/**
 * Defender's lists contradict what is: what has ended runs again, one id stands there twice, an end lies before its start, a state
 * has an unknown name, a record is that of another tenant.
 */
export const booksContradictory: Fault = {
  name: 'books-contradictory',
  breaks: ['defender'],
  async run({ control, windowMs, tally }, random) {
    for (const form of random.shuffle(forms).slice(0, 3)) {
      const action = { kind: 'contradictory', form };
      for (const read of books)
        await control.addFault({ target: 'read', times: null, when: { read }, action });
      tally(`books: ${form}`);
      await delay(windowMs * random.between(1, 3));
      await control.clearFaults();
    }
  },
};
