import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';

/** What answers all calls for a while is not Defender's API, or Defender says that it no longer offers the call. */
export const endpointUnusable: Fault = {
  name: 'endpoint-unusable',
  breaks: ['defender'],
  async run(world, random) {
    // Forms whose status alone shows the judge that the call was not let in.
    const action = random.pick([
      { kind: 'unusable', form: 'redirect' },
      { kind: 'unusable', form: 'page-403' },
      { kind: 'unusable', form: 'page-431' },
      { kind: 'unusable', form: 'no-method' },
      { kind: 'retired', form: 'gone' },
    ]);
    await world.control.addFault({ target: 'start', times: null, action });
    await delay(random.between(500, 2 * world.windowMs));
    await world.control.clearFaults();
  },
};
