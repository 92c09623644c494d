import { z } from 'zod';
import { sourceText, machineId } from '@diq/contracts/investigation-item.ts';
import { ownerActedFor } from '../auth/ownership.ts';
import type { Dependencies } from '../dependencies.ts';
import { inTurn } from '../http/caller-turns.ts';
import { defineRoute } from '../http/define-route.ts';
import { reason } from '../http/parse-or-400.ts';
import { batchId } from '../http/cursor.ts';

/** Below the usual time-outs of clients and proxies; who has more to cancel asks again. */
export const bulkCancelBudgetMs = 10_000;

/** Of what looks at many requests. */
export const remaining = z
  .boolean()
  .describe('The time was up before all were looked at: the same request again goes on.');

export const cancelled = z
  .strictObject({
    cancelled: z.int().nonnegative(),
    alreadyDispatched: z.int().nonnegative().describe('Fitted, and their call was made or being made.'),
    remaining,
  })
  .meta({ id: 'Cancelled' });

const filter = z
  .strictObject({
    batchId: batchId.optional(),
    source: sourceText.optional(),
    machineId: machineId.optional(),
    reason: reason.optional(),
  })
  .refine(
    ({ batchId, source, machineId: machine }) => (batchId ?? source ?? machine) !== undefined,
    'must name at least one of batchId, source and machineId',
  );

/**
 * Cancels what is queued, fits all filters given and is the caller's own; `admin` also what is others'. With
 * `remaining: true` the time was up first: the same request again goes on where this one ended.
 */
export const cancelInvestigations = defineRoute({
  method: 'post',
  path: '/v1/investigations/cancel',
  id: 'cancelInvestigations',
  tag: 'Requests',
  summary: 'Cancel what is queued by batch, source or machine',
  description: 'What fits all filters given. Repeat it while `remaining` is true.',
  scope: 'submit',
  queue: 'query',
  isOwnOnly: true,
  body: { schema: filter, example: { source: 'phishing-playbook', reason: 'False alarm' } },
  answers: { 200: { description: 'How many were cancelled.', schema: cancelled } },
  async handle({ body, context, response }, { actions, closing }: Dependencies) {
    const { reason: why, ...filter } = body;
    const caller = ownerActedFor(context);
    const own = caller === undefined ? filter : { ...filter, caller };
    await inTurn(context.caller.name, response, async () => {
      const bounds = { budgetMs: bulkCancelBudgetMs, closing };
      const done = await actions.bulkCancel.cancel(own, context.actor(why), bounds);
      context.log.info({ filter, ...done }, 'requests cancelled');
      response.json(done);
    });
  },
});
