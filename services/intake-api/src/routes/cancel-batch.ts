import { batchCancelled } from '@diq/contracts/bulk-answers.ts';
import { refuseUnlessOwn } from '../auth/ownership.ts';
import type { Dependencies } from '../dependencies.ts';
import { inTurn } from '../http/caller-turns.ts';
import { defineRoute } from '../http/define-route.ts';
import { findBatchOrRefuse } from '../http/find-or-404.ts';
import { onlyReason } from '../http/parse-or-400.ts';
import { bulkCancelBudgetMs as budgetMs } from './cancel-investigations.ts';

export const cancelBatch = defineRoute({
  method: 'delete',
  path: '/v1/batches/:id',
  id: 'cancelBatch',
  tag: 'Batches',
  summary: 'Cancel what is queued of a batch',
  description: 'Repeat it while `remaining` is true. The batch and its items can be read as before.',
  scope: 'submit',
  queue: 'id',
  isOwnOnly: true,
  query: onlyReason,
  answers: {
    200: {
      description: 'How many were cancelled.',
      schema: batchCancelled,
    },
  },
  problems: ['batch_not_found'],
  async handle({ id: given, query, context, response }, { reader, actions, closing }: Dependencies) {
    const { id, caller } = await findBatchOrRefuse(reader, given);
    refuseUnlessOwn(context, caller, 'batch_not_found');
    const actor = context.actor(query.reason);
    await inTurn(context.caller.name, response, async () => {
      const { next: _, ...done } = await actions.bulkCancel.cancel({ batchId: id }, actor, {
        budgetMs,
        closing,
      });
      context.log.info({ batchId: id, ...done }, 'batch cancelled');
      response.json({ id, ...done });
    });
  },
});
