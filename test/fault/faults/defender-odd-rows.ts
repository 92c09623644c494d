import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';

/** Answers get lost, and the lists in which they are looked up hold rows that cannot be read; some begin with a mark of byte order. */
export const defenderOddRows: Fault = {
  name: 'defender-odd-rows',
  breaks: ['defender'],
  async run({ control, windowMs }, random) {
    const lost = { kind: 'reset', when: 'after' };
    const form = random.chance(0.7) ? 'odd-rows' : 'byte-order-mark';
    await control.addFault({ target: 'read', times: null, action: { kind: 'broken-body', form } });
    await control.addFault({ target: 'start', times: random.between(1, 3), action: lost });
    await control.addFault({
      target: 'start',
      times: random.between(1, 2),
      action: { kind: 'broken-body', form: 'byte-order-mark' },
    });
    await delay(windowMs * random.between(1, 3));
    await control.clearFaults();
  },
  // A worker that begins meanwhile counts each such row as a call.
  recoveryMs: ({ windowMs }) => windowMs + 10_000,
};
