import { z } from 'zod';
import { priorities } from './priority.ts';

const time = z.iso.datetime();
const count = z.int().nonnegative();

/** Calls that go before another one. */
const ahead = z
  .strictObject({
    calls: count,
    byPriority: z.strictObject({ critical: count, high: count, medium: count, low: count }),
    bySource: z
      .array(z.strictObject({ source: z.string().nullable(), calls: count }))
      .describe(
        'The sources with the most, 5 at most; of each call the source of the request that was first.',
      ),
    otherSources: count,
    isEstimate: z
      .boolean()
      .describe('The counts by class and source are reckoned from a sample, and some seconds old.'),
  })
  .meta({ id: 'Ahead', description: 'What goes before it.' });

/** Why a call stands where it does in the order. */
export const placement = z
  .strictObject({
    priority: z
      .enum(priorities)
      .describe('Its class: the most urgent of the requests that share it decides.'),
    headStartSeconds: count.describe('How much longer than it did it counts as having waited, by its class.'),
    flow: z.strictObject({
      caller: z.string().nullable().describe('Whose turn it uses.'),
      source: z.string().nullable().describe('Of the request that was first.'),
      virtualStart: time.describe('When it would be its turn if nothing else waited in its class.'),
    }),
    sortedBy: time.describe('`virtualStart` less the head start: the earliest goes first.'),
    requests: z.int().positive().describe('Requests that share the call.'),
    notAfter: time
      .optional()
      .describe('After which it is not made; absent where one of them has no deadline.'),
    promotedBy: z
      .strictObject({
        by: z.string().optional().describe('Who moved it to the head of the queue.'),
        displayName: z
          .string()
          .optional()
          .describe('Of a person who signed in with Entra ID to the status page.'),
        reason: z.string().optional(),
        at: time.optional(),
        requestId: z.string().optional().describe('The request for which it was moved up.'),
        isBehind: z
          .literal(true)
          .optional()
          .describe(
            'That request waits behind it for its turn on the machine; otherwise it shares the call.',
          ),
      })
      .optional(),
    deferredUntil: time.optional().describe('Its caller has used its fair share until this virtual time.'),
    ahead,
    keptForCritical: count.describe('Slots that it cannot have, since they are kept for critical requests.'),
    why: z.array(z.string()).describe('The same for people, the most important first.'),
  })
  .meta({ id: 'Placement', description: 'Why it stands where it does.' });

export type Placement = z.output<typeof placement>;
export type Ahead = z.output<typeof ahead>;
