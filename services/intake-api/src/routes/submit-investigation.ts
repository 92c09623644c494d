import { z } from 'zod';
import { investigationItem, namedOnce } from '@diq/contracts/investigation-item.ts';
import { requestDryRun } from '@diq/contracts/item-answer.ts';
import { requestDryRunReceipt, requestReceipt } from '@diq/contracts/receipts.ts';
import { requestDocument } from '@diq/contracts/request-document.ts';
import type { Dependencies } from '../dependencies.ts';
import { defineRoute, operationField } from '../http/define-route.ts';
import { retryAfterSeconds } from '../http/retry-after.ts';
import { dryRunQuery } from '../submission/validate-items.ts';
import { acceptItem, judgeItem, logAccepted } from '../submission/accept-item.ts';
import { forCaller } from '../submission/receipt.ts';
import { describeItem } from '../submission/dry-run.ts';
import { describeAccepted } from '../views/accepted-view.ts';

/** The item with the operation beside it, which is taken out before the item is validated. */
const body = investigationItem.extend({ operation: operationField }).meta({
  id: 'InvestigationItem',
  description: 'One machine, and what is asked for it.',
  oneOf: namedOnce,
});

/**
 * Answers 202 once Redis has acknowledged the request, also when it joined one that waits for the same machine.
 * `Location` leads to the form that answers 202 until it is done.
 */
export const submitInvestigation = defineRoute({
  method: 'post',
  path: '/v1/investigations',
  id: 'submitInvestigation',
  tag: 'Requests',
  summary: 'Ask for one investigation',
  description:
    'A request for a machine that waits already shares its call: that is a success, with `coalescedWith`.',
  scope: 'submit',
  queue: 'body',
  query: dryRunQuery,
  body: {
    schema: body,
    example: { machineId: 'fb9ab6be3965095a09c057be7c90f0a2', comment: 'INC-4711: suspicious logon' },
    isReadByHandler: true,
  },
  isIdempotent: true,
  answers: {
    200: {
      description: 'With `dryRun=true`: what would become of it.',
      schema: z.union([requestDryRun, requestDryRunReceipt]),
    },
    202: {
      description: 'The request, stored.',
      schema: z.union([requestDocument, requestReceipt]),
      headers: ['Location', 'Operation-Location', 'Retry-After', 'Idempotent-Replayed?'],
    },
  },
  problems: ['deadline_unreachable', 'too_many_joined', 'storage_full', 'backlog_full', 'redis_full'],
  async handle({ query, context, request, response }, needs: Dependencies) {
    const isDryRun = query.dryRun === 'true';
    const { item, judged } = await judgeItem(context, request.body, needs, { dryRun: isDryRun });
    if (isDryRun) {
      // Under the names that a batch's dry run has for it.
      const startMsAt = await needs.deadlineCheck.startForecast();
      const { index: _, ...answer } = describeItem(item, 0, judged, startMsAt);
      response.json(forCaller(context, { dryRun: true, ...answer }));
      return;
    }
    const accepted = await acceptItem(context, item, needs);
    const { id } = accepted;
    const warning = judged.warnings.get(0);
    const { document, startsInMs } = await describeAccepted(accepted, item, context.submission, needs);
    logAccepted(context, document);
    response
      .status(202)
      .location(`/v1/investigations/${id}/result`)
      .set('Operation-Location', `/v1/investigations/${id}`)
      .set('Retry-After', retryAfterSeconds(document.status === 'queued' ? startsInMs : 0))
      .json(forCaller(context, warning ? { ...document, warning } : document));
  },
});
