import { z } from 'zod';
import {
  investigationItem,
  namedOnce,
  parseItem,
  type InvestigationItem,
} from '@diq/contracts/investigation-item.ts';
import { fieldsOf } from '@diq/contracts/operations/result-fields.ts';
import { requestDryRun } from '@diq/contracts/item-answer.ts';
import { requestDryRunReceipt, requestReceipt } from '@diq/contracts/receipts.ts';
import { requestDocument, type RequestDocument } from '@diq/contracts/request-document.ts';
import type { AcceptedRequest } from '@diq/queue/admission/accept-requests.ts';
import { describeCallback } from '@diq/queue/requests/stored-callback.ts';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import type { Dependencies } from '../dependencies.ts';
import { defineRoute, operationField } from '../http/define-route.ts';
import { describeFaults } from '../http/parse-or-400.ts';
import { ProblemError } from '../http/problem-error.ts';
import { requireRiskScope, type Submission } from '../http/request-context.ts';
import { retryAfterSeconds } from '../http/retry-after.ts';
import { checkCallback, dryRunQuery } from '../submission/validate-items.ts';
import { isRefused, type RefusedItem } from '../submission/item-refusal.ts';
import { forCaller } from '../submission/receipt.ts';
import { describeItem } from '../submission/dry-run.ts';
import type { DescribedRequest } from '../views/request-view.ts';

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
    requireRiskScope(context);
    const isDryRun = query.dryRun === 'true';
    const { nowMs, ids, isRepeat } = context.submission;
    const countOutcomes: Dependencies['countOutcomes'] = (outcomes) => {
      if (!isDryRun) needs.countOutcomes(outcomes);
    };
    const parsed = checkCallback(parseItem(request.body, nowMs, needs.itemRules), needs.callbackRule);
    if (!parsed.ok) {
      countOutcomes({ accepted: 0, coalesced: 0, rejected: 1 });
      throw new ProblemError('invalid_request', {
        detail: describeFaults(parsed.faults, 'the body', parsed.faultCount),
        errors: parsed.faults,
      });
    }
    const caller = context.caller.name;
    const knownAs = isRepeat ? ids.request : undefined;
    const options = { nowMs, caller, knownAs, wantsPlaces: isDryRun };
    const judged = await needs.deadlineCheck.judge([parsed.item], options);
    const [item] = judged.entries;
    if (!item || isRefused(item)) {
      countOutcomes({ accepted: 0, coalesced: 0, rejected: 1 });
      throw tooLate(item);
    }
    if (isDryRun) {
      // Under the names that a batch's dry run has for it.
      const startMsAt = await needs.deadlineCheck.startForecast();
      const { index: _, ...answer } = describeItem(item, 0, judged, startMsAt);
      response.json(forCaller(context, { dryRun: true, ...answer }));
      return;
    }
    needs.readAhead();
    const accepted = await needs.intake.acceptOne(item, { nowMs, ids, caller, trace: context.trace });
    const { id, coalescedWith } = accepted;
    const coalesced = coalescedWith === undefined ? 0 : 1;
    countOutcomes({ accepted: 1 - coalesced, coalesced, rejected: 0 });

    const warning = judged.warnings.get(0);
    const { document, startsInMs } = await describeAccepted(needs, accepted, item, context.submission);
    const { machineId, correlation, status: to, result } = document;
    context.log.info(
      { requestId: id, machineId, correlation, to, coalescedWith, ...fieldsOf(result) },
      'request accepted',
    );
    response
      .status(202)
      .location(`/v1/investigations/${id}/result`)
      .set('Operation-Location', `/v1/investigations/${id}`)
      .set('Retry-After', retryAfterSeconds(document.status === 'queued' ? startsInMs : 0))
      .json(forCaller(context, warning ? { ...document, warning } : document));
  },
});

function tooLate(item: RefusedItem | undefined): ProblemError {
  const error = item?.rejected.error;
  if (!error) throw new Error('an item was given no answer');
  return new ProblemError('deadline_unreachable', { detail: error.message, errors: error.errors });
}

/**
 * What was recorded a moment ago need not be read to be known; what it joined, or was recorded by an earlier attempt, is.
 * (The connection sends no command twice, so only a repeat of the caller's can find it recorded.)
 * The request is safe by now: should Redis go away at this moment, the answer comes without its place in the order.
 */
async function describeAccepted(
  { reader, describeRequest, queue: { operation } }: Dependencies,
  accepted: AcceptedRequest,
  item: InvestigationItem,
  { nowMs, isRepeat }: Submission,
): Promise<DescribedRequest> {
  const document = newDocument(accepted, item, { nowMs, operation });
  const { id, position } = accepted;
  try {
    const isKnown = position !== undefined && !isRepeat;
    const placed = isKnown ? { document, position } : await reader.findPlaced(id);
    if (placed) return await describeRequest(placed);
  } catch (error) {
    if (!isRedisTrouble(error)) throw error;
  }
  return { document, startsInMs: undefined };
}

function newDocument(
  { id, coalescedWith }: AcceptedRequest,
  item: InvestigationItem,
  { nowMs, operation }: { nowMs: number; operation: string },
): RequestDocument {
  const { callbackUrl, strict: _, force: __, ...asked } = item;
  const callback = callbackUrl && { url: callbackUrl, about: 'queued', delivery: undefined };
  const document = {
    id,
    operation,
    ...asked,
    createdAt: new Date(nowMs).toISOString(),
    status: 'queued' as const,
    coalescedWith,
    attempts: 0,
    callback: callback && describeCallback(callback),
  };
  // Through JSON, as the stored one: fields that the caller left out are absent and not undefined.
  return JSON.parse(JSON.stringify(document)) as RequestDocument;
}
