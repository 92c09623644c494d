import { z } from 'zod';
import { nextCalls as answer } from '@diq/contracts/queue-order.ts';
import type { Dependencies } from '../dependencies.ts';
import { inTurn } from '../http/caller-turns.ts';
import { defineRoute } from '../http/define-route.ts';
import { pageLimit } from '../http/parse-or-400.ts';

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
  answers: { 200: { description: 'The first ones in the order.', schema: answer } },
  async handle({ query: { limit }, context, response }, { nextCalls }: Dependencies) {
    await inTurn(context.caller.name, response, async () => {
      response.json(await nextCalls(limit));
    });
  },
});
