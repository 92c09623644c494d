import { z } from 'zod';
import { retried, retryStoppers } from '@diq/contracts/bulk-answers.ts';
import { investigationItem } from '@diq/contracts/investigation-item.ts';
import { RetryStoppedError, retriableStatuses } from '@diq/queue/requests/bulk-retry.ts';
import type { BulkRetried } from '@diq/queue/requests/bulk-retry.ts';
import { ownerActedFor } from '../auth/ownership.ts';
import type { Dependencies } from '../dependencies.ts';
import { inTurn } from '../http/caller-turns.ts';
import { writePosition } from '../http/cursor.ts';
import { defineRoute } from '../http/define-route.ts';
import { reason } from '../http/parse-or-400.ts';
import { ProblemError } from '../http/problem-error.ts';
import { requireRiskScope } from '../http/request-context.ts';
import { fitsCursor, oneOrMore, requestFilters } from '../http/request-filters.ts';
import { bulkCancelBudgetMs as budgetMs, bulkCursor, notFromAnswer } from './cancel-investigations.ts';

const body = z
  .strictObject({
    status: oneOrMore(retriableStatuses).optional(),
    ...requestFilters,
    notAfter: investigationItem.shape.notAfter
      .unwrap()
      .refine((time) => Date.parse(time) > Date.now(), 'must lie in the future')
      .nullable()
      .optional()
      .describe('In place of the deadline of each; null: none.'),
    cursor: bulkCursor.optional(),
    reason: reason.optional(),
  })
  .refine(
    ({ status, batchId, source, machineId, priority, correlation }) =>
      (status ?? batchId ?? source ?? machineId ?? priority ?? correlation) !== undefined,
    'must name at least one of status, batchId, source, machineId, priority and correlation',
  )
  .refine(fitsCursor, { path: ['cursor'], message: notFromAnswer });

/** Each request is retried once, however often this is asked for: a retry that failed is itself what is retried next. */
export const retryInvestigations = defineRoute({
  method: 'post',
  path: '/v1/investigations/retry',
  id: 'retryInvestigations',
  tag: 'Requests',
  summary:
    'Ask again for what ended without a start, by status, batch, source, machine, priority or correlation',
  description:
    'What fits all filters given; without `status`, what failed. Ends are final: this makes new requests that say the same, with `retryOf`. What has `retriedBy` is left alone. Of an `unknown` request the call may have been made: name that status only once you have looked. Repeat it, with the `cursor` of the answer, while `remaining` is true.',
  scope: 'submit',
  queue: 'query',
  isOwnOnly: true,
  body: {
    schema: body,
    example: { status: ['failed'], source: 'phishing-playbook', reason: 'Agents are back' },
  },
  answers: { 200: { description: 'How many are asked for again.', schema: retried } },
  problems: ['tenant_removed', 'storage_full', 'backlog_full', 'redis_full'],
  async handle({ body, context, response }, { actions, intake, countOutcomes, closing }: Dependencies) {
    if (!context.chosen.isAccepting)
      throw new ProblemError('tenant_removed', { detail: 'Nothing new is accepted for it.' });
    requireRiskScope(context);
    const { reason: why, cursor: from, notAfter, status = ['failed'], ...filter } = body;
    const caller = ownerActedFor(context);
    const wanted = {
      ...filter,
      status,
      ...(caller === undefined ? {} : { caller }),
    };
    await inTurn(context.caller.name, response, async () => {
      const { nowMs } = context.submission;
      const order = {
        filter: wanted,
        actor: context.actor(why),
        nowMs,
        notAfter,
        accept: async (...[retries, owner]: Parameters<Accept>) => {
          const outcomes = await intake.acceptRetries(retries, {
            nowMs: Date.now(),
            caller: owner,
            trace: context.trace,
          });
          const coalesced = outcomes.filter((one) => one === 'coalesced').length;
          const accepted = outcomes.filter((one) => one === 'accepted').length;
          countOutcomes({ accepted, coalesced, rejected: 0 });
          return outcomes;
        },
      };
      const bounds = { budgetMs, closing, from };
      const { stoppedBy, ...done } = await actions.bulkRetry
        .retry(order, bounds)
        .then((all): Done => all, whatWasDone);
      const { next, ...counts } = done;
      context.log.info({ filter: wanted, ...counts, stoppedBy }, 'requests retried');
      response.json({
        ...counts,
        ...(next === undefined ? {} : { cursor: writePosition(next) }),
        ...(stoppedBy === undefined ? {} : { stoppedBy }),
      });
    });
  },
});

type Accept = Parameters<Dependencies['actions']['bulkRetry']['retry']>[0]['accept'];

type Done = BulkRetried & { stoppedBy?: (typeof retryStoppers)[number] };

/** What was accepted stays accepted: the refusal of more is the answer only where nothing was. */
function whatWasDone(error: unknown): Done {
  if (!(error instanceof RetryStoppedError)) throw error;
  const { done, cause } = error;
  const stoppedBy =
    cause instanceof ProblemError ? retryStoppers.find((code) => code === cause.code) : undefined;
  if (done.retried === 0 || stoppedBy === undefined) throw cause;
  return { ...done, stoppedBy };
}
