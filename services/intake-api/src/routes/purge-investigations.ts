import { z } from 'zod';
import { purged } from '@diq/contracts/bulk-answers.ts';
import type { Dependencies } from '../dependencies.ts';
import { inTurn } from '../http/caller-turns.ts';
import { defineRoute } from '../http/define-route.ts';
import { reason } from '../http/parse-or-400.ts';
import { batchId } from '../http/cursor.ts';
import { bulkCancelBudgetMs as budgetMs } from './cancel-investigations.ts';

/** Names of callers are no longer than that of any application or key. */
const maxCallerLength = 256;

const filter = z
  .strictObject({
    batchId: batchId.optional(),
    caller: z
      .string({ error: 'must be a string' })
      .min(1, 'must not be empty')
      .max(maxCallerLength, `must have at most ${maxCallerLength} characters`)
      .optional(),
    endedBefore: z.iso
      .datetime({ offset: true, error: 'must be an ISO 8601 time with a zone, such as 2026-11-30T08:00:00Z' })
      .optional(),
    reason: reason.optional(),
  })
  .refine(
    ({ batchId, caller, endedBefore }) => (batchId ?? caller ?? endedBefore) !== undefined,
    'must name at least one of batchId, caller and endedBefore',
  )
  .refine(
    ({ batchId, caller, endedBefore }) => batchId === undefined || (caller ?? endedBefore) === undefined,
    'must name batchId alone, without caller and endedBefore',
  );

/**
 * Deletes what has ended before its retention is over, and makes room in Redis also when that is full. What is open
 * stays. With `remaining: true` the time was up first: the same request again goes on.
 */
export const purgeInvestigations = defineRoute({
  method: 'post',
  path: '/v1/investigations/purge',
  id: 'purgeInvestigations',
  tag: 'Requests',
  summary: 'Delete what has ended, before its retention is over',
  description:
    'Of one batch, or of all that is kept what ended before a time, is of one caller, or both. What is open stays. It works while Redis is full. Repeat it while `remaining` is true.',
  scope: 'admin',
  queue: 'query',
  body: { schema: filter, example: { endedBefore: '2026-11-01T00:00:00Z', reason: 'Redis is full' } },
  answers: { 200: { description: 'How much was deleted.', schema: purged } },
  async handle(
    { body: { reason: why, batchId, ...filter }, context, response },
    { actions, closing }: Dependencies,
  ) {
    const what = batchId === undefined ? filter : { batchId };
    await inTurn(context.caller.name, response, async () => {
      const done = await actions.purge.purge(what, context.actor(why), { budgetMs, closing });
      context.log.info({ filter: what, ...done }, 'requests purged');
      response.json(done);
    });
  },
});
