import { z } from 'zod';
import type { Dependencies } from '../dependencies.ts';
import { inTurn } from '../http/caller-turns.ts';
import { defineRoute } from '../http/define-route.ts';
import { pageLimit } from '../http/parse-or-400.ts';
import { blockedCall, nextCall } from '../views/queue-order-view.ts';

const next = z
  .strictObject({
    waiting: z.int().nonnegative().describe('Calls that wait in all.'),
    keptForCritical: z
      .strictObject({
        slots: z.int().nonnegative().describe('That only critical requests can have.'),
        criticalWaiting: z.int().nonnegative().describe('Critical calls that wait.'),
      })
      .describe('`QUOTA_RESERVE_CRITICAL`, and how many it is for.'),
    value: z.array(nextCall),
    blocked: z
      .array(blockedCall)
      .describe(
        'The first of those that are put aside, up to `limit` of each reason; how many there are tells `blocked` of the quota.',
      ),
  })
  .meta({ id: 'NextCalls', description: 'What goes next, by the present state of the queue.' });

export const listNext = defineRoute({
  method: 'get',
  path: '/v1/queue/next',
  id: 'listNext',
  tag: 'Quota and queue',
  summary: 'See which calls go next, and why',
  description:
    'By the present state: more urgent arrivals go before. A call that is being made is not among them.',
  scope: 'read',
  queue: 'query',
  query: z.strictObject({ limit: pageLimit(100) }),
  answers: { 200: { description: 'The first ones in the order.', schema: next } },
  async handle({ query: { limit }, context, response }, { nextCalls }: Dependencies) {
    await inTurn(context.caller.name, response, async () => {
      response.json(await nextCalls(limit));
    });
  },
});
