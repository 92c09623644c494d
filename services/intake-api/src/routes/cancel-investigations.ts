import { z } from 'zod';
import { cancelled } from '@diq/contracts/bulk-answers.ts';
import { ownerActedFor } from '../auth/ownership.ts';
import type { Dependencies } from '../dependencies.ts';
import { inTurn } from '../http/caller-turns.ts';
import { defineRoute } from '../http/define-route.ts';
import { reason } from '../http/parse-or-400.ts';
import { batchPosition, positionCursor, requestPosition, writePosition } from '../http/cursor.ts';
import { fitsCursor, requestFilters } from '../http/request-filters.ts';

/** Below the usual time-outs of clients and proxies; who has more to cancel asks again. */
export const bulkCancelBudgetMs = 10_000;

export const notFromAnswer = 'must be taken from an answer to the same request';

/** Where a bulk action goes on. */
export const bulkCursor = positionCursor((text) => requestPosition(text) ?? batchPosition(text));

const filter = z
  .strictObject({ ...requestFilters, cursor: bulkCursor.optional(), reason: reason.optional() })
  .refine(
    ({ batchId, source, machineId, priority, correlation }) =>
      (batchId ?? source ?? machineId ?? priority ?? correlation) !== undefined,
    'must name at least one of batchId, source, machineId, priority and correlation',
  )
  .refine(fitsCursor, { path: ['cursor'], message: notFromAnswer });

/**
 * Cancels what is queued, fits all filters given and is the caller's own; `admin` also what is others'. With
 * `remaining: true` the time was up first: the same request again goes on, with `cursor` without a second look at what does not fit.
 */
export const cancelInvestigations = defineRoute({
  method: 'post',
  path: '/v1/investigations/cancel',
  id: 'cancelInvestigations',
  tag: 'Requests',
  summary: 'Cancel what is queued by batch, source, machine, priority or correlation',
  description:
    'What fits all filters given. Repeat it, with the `cursor` of the answer, while `remaining` is true.',
  scope: 'submit',
  queue: 'query',
  isOwnOnly: true,
  body: {
    schema: filter,
    example: { correlation: { incident: 'INC-4711' }, reason: 'False alarm' },
  },
  answers: { 200: { description: 'How many were cancelled.', schema: cancelled } },
  async handle({ body, context, response }, { actions, closing }: Dependencies) {
    const { reason: why, cursor: from, ...filter } = body;
    const caller = ownerActedFor(context);
    const own = caller === undefined ? filter : { ...filter, caller };
    await inTurn(context.caller.name, response, async () => {
      const bounds = { budgetMs: bulkCancelBudgetMs, closing, from };
      const { next, ...done } = await actions.bulkCancel.cancel(own, context.actor(why), bounds);
      context.log.info({ filter, ...done }, 'requests cancelled');
      response.json({ ...done, ...(next === undefined ? {} : { cursor: writePosition(next) }) });
    });
  },
});
