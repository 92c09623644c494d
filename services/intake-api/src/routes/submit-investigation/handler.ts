import type { RequestHandler } from 'express';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { parseItem } from '@diq/contracts/parse-item.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { describeCallback } from '@diq/queue/requests/stored-callback.ts';
import type { AcceptedRequest } from '@diq/queue/admission/accept-requests.ts';
import type { AppParts } from '../../dependencies.ts';
import { attemptOf } from '../../submission/submission-context.ts';
import type { Attempt } from '../../submission/submission-context.ts';
import { checkCallback } from '../../submission/check-callback.ts';
import { describeFaults } from '../../http/describe-faults.ts';
import type { DescribedRequest } from '../../views/request-view.ts';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import { callerOf } from '../../auth/authenticate.ts';
import { traceOf } from '../../http/trace-of.ts';
import { ProblemError } from '../../http/problem-error.ts';
import { describeItem } from '../../views/dry-run-view.ts';
import { logOf } from '../../http/http-request-log.ts';
import type { Judged } from '../../estimates/deadline-check.ts';
import { readDryRun } from '../../submission/read-dry-run.ts';
import { forCaller } from '../../submission/receipt.ts';
import { retryAfterSeconds } from '../../http/retry-after.ts';
import { isRefused } from '../../submission/item-refusal.ts';
import type { RefusedItem } from '../../submission/item-refusal.ts';

type Parts = Pick<AppParts, 'intake' | 'reader' | 'describeRequest' | 'metrics' | 'outlook' | 'callbackRule'>;

/**
 * `POST /v1/investigations`. Answers 202 with the request document once Redis has acknowledged the request, also when
 * it joined one that waits for the same machine. `Location` leads to the form that answers 202 until it is done.
 * With `dryRun=true` it answers 200 with what would become of it and records nothing.
 */
export function submitInvestigation(parts: Parts): RequestHandler {
  return async (request, response) => {
    const isDryRun = readDryRun(request.query);
    const attempt = attemptOf(response);
    const { nowMs, ids, isRepeat } = attempt;
    const countOutcomes: typeof parts.metrics.countOutcomes = (outcomes) => {
      if (!isDryRun) parts.metrics.countOutcomes(outcomes);
    };
    const parsed = checkCallback(parseItem(request.body, nowMs), parts.callbackRule);
    if (!parsed.ok) {
      countOutcomes({ accepted: 0, coalesced: 0, rejected: 1 });
      throw new ProblemError('invalid_request', {
        detail: describeFaults(parsed.faults, 'the body', parsed.faultCount),
        errors: parsed.faults,
      });
    }
    const caller = callerOf(response)?.name;
    const knownAs = isRepeat ? ids.request : undefined;
    const options = { nowMs, caller, knownAs, wantsPlaces: isDryRun };
    const judged = await parts.outlook.judge([parsed.item], options);
    const [item] = judged.entries;
    if (!item || isRefused(item)) {
      countOutcomes({ accepted: 0, coalesced: 0, rejected: 1 });
      throw tooLate(item);
    }
    if (isDryRun) {
      response.json(forCaller(response, await dryRunAnswer(parts, item, judged)));
      return;
    }
    const trace = traceOf(response);
    const accepted = await parts.intake.acceptOne(item, nowMs, ids, caller, trace);
    const { id, coalescedWith } = accepted;
    const coalesced = coalescedWith === undefined ? 0 : 1;
    countOutcomes({ accepted: 1 - coalesced, coalesced, rejected: 0 });

    const warning = judged.warnings.get(0);
    const warned = warning === undefined ? {} : { warning };
    const { document, startsInMs } = await describeAccepted(parts, accepted, item, attempt);
    const { machineId, correlation, status: to, investigationId } = document;
    logOf(response).info(
      { requestId: id, machineId, correlation, to, coalescedWith, investigationId },
      'request accepted',
    );
    response
      .status(202)
      .location(`/v1/investigations/${id}/result`)
      .set('Operation-Location', `/v1/investigations/${id}`)
      .set('Retry-After', retryAfterSeconds(document.status === 'queued' ? startsInMs : 0))
      .json(forCaller(response, { ...document, ...warned }));
  };
}

function tooLate(item: RefusedItem | undefined): ProblemError {
  const error = item?.rejected.error;
  if (!error) throw new Error('an item was given no answer');
  return new ProblemError('deadline_unreachable', { detail: error.message, errors: error.errors });
}

/** What would become of the request, under the names that a batch's dry run has for it. */
async function dryRunAnswer({ outlook }: Parts, item: InvestigationItem, { places, warnings }: Judged) {
  const startMsAt = await outlook.startForecast();
  const about = { place: places.get(0), warning: warnings.get(0), startMsAt };
  const { index: _, ...answer } = describeItem(item, 0, about);
  return { dryRun: true, ...answer };
}

/**
 * What was recorded a moment ago need not be read to be known; what it joined, or was recorded by an earlier attempt, is.
 * (The connection sends no command twice, so only a repeat of the caller's can find it recorded.)
 * The request is safe by now: should Redis go away at this moment, it is told without its place in the order.
 */
async function describeAccepted(
  { reader, describeRequest }: Parts,
  accepted: AcceptedRequest,
  item: InvestigationItem,
  { nowMs, isRepeat }: Attempt,
): Promise<DescribedRequest> {
  const document = newDocument(accepted, item, nowMs);
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
  nowMs: number,
): RequestDocument {
  const { callbackUrl, strict: _, force: __, ...asked } = item;
  const callback = callbackUrl && { url: callbackUrl, about: 'queued', delivery: undefined };
  const document = {
    id,
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
