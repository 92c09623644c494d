import type { Request, RequestHandler } from 'express';
import { fieldFaults } from '@diq/contracts/field-fault.ts';
import { investigationBatch } from '@diq/contracts/investigation-batch.ts';
import type { InvestigationBatch } from '@diq/contracts/investigation-batch.ts';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import type { ItemAnswer } from '@diq/contracts/item-answer.ts';
import type { DeadlineWarning } from '@diq/contracts/request-document.ts';
import { tooManyJoined } from '@diq/queue/admission/accept-requests.ts';
import type { AcceptedRequest } from '@diq/queue/admission/accept-requests.ts';
import type { AppParts } from '../../dependencies.ts';
import { attemptOf } from '../../submission/submission-context.ts';
import type { CallbackRule } from '../../callbacks/callback-rule.ts';
import { checkBatchCallback } from '../../submission/check-callback.ts';
import { describeFaults } from '../../http/describe-faults.ts';
import { boundRefusals, isRefused } from '../../submission/item-refusal.ts';
import type { RefusedItem } from '../../submission/item-refusal.ts';
import type { DoorOutcomes } from '../../observability/metrics.ts';
import { callerOf } from '../../auth/authenticate.ts';
import { logOf } from '../../http/http-request-log.ts';
import type { RequestLog } from '../../http/http-request-log.ts';
import { traceOf } from '../../http/trace-of.ts';
import { ProblemError } from '../../http/problem-error.ts';
import { drainedAtMs } from '../../estimates/queue-state.ts';
import { readDryRun } from '../../submission/read-dry-run.ts';
import { forCaller } from '../../submission/receipt.ts';
import { retryAfterSeconds } from '../../http/retry-after.ts';
import { sortItems } from '../../submission/validate-items.ts';
import { dryRunAnswer } from './dry-run.ts';

type Entry = InvestigationItem | RefusedItem;

/**
 * `POST /v1/batches`. Answers 202 once Redis has acknowledged every acceptable item. Of the counts, `accepted` got a
 * task of their own and `coalesced` joined one; with `rejected` they add up to the number of items posted.
 * With `dryRun=true` it answers 200 with what would become of them and records nothing.
 */
export function submitBatch(
  parts: Pick<AppParts, 'intake' | 'metrics' | 'readState' | 'outlook' | 'callbackRule'>,
): RequestHandler {
  return async (request, response) => {
    const isDryRun = readDryRun(request.query);
    const { nowMs, ids, isRepeat } = attemptOf(response);
    const { sorted, callbackUrl } = await readBatch(request, nowMs, parts.callbackRule);
    const caller = callerOf(response)?.name;
    const knownAs = isRepeat ? ids.request : undefined;
    const options = { nowMs, caller, knownAs, wantsPlaces: isDryRun };
    const judged = await parts.outlook.judge(sorted, options);
    const { warnings } = judged;
    const { entries, withoutFault } = boundRefusals(judged.entries);
    if (entries.every(isRefused)) {
      if (!isDryRun) parts.metrics.countOutcomes({ accepted: 0, coalesced: 0, rejected: entries.length });
      throw noAcceptableItem(entries);
    }
    if (isDryRun) {
      const startMsAt = await parts.outlook.startForecast();
      response.json(forCaller(response, dryRunAnswer({ ...judged, entries }, startMsAt, withoutFault)));
      return;
    }
    const { batchId, accepted } = await parts.intake.acceptBatch(
      entries,
      nowMs,
      ids,
      caller,
      callbackUrl,
      traceOf(response),
    );
    const items = entries.map((entry, index) =>
      answerFor(index, entry, { accepted: accepted[index], warning: warnings.get(index) }),
    );
    const counts = countOutcomes(items);
    parts.metrics.countOutcomes(counts);
    logOf(response).info({ batchId, counts }, 'batch accepted');
    logItems(logOf(response), batchId, items, entries);
    const answer = {
      id: batchId,
      status: 'running',
      counts,
      ...(withoutFault > 0 ? { refusalsWithoutFault: withoutFault } : {}),
      items,
    };
    response
      .status(202)
      .location(`/v1/batches/${batchId}`)
      .set('Operation-Location', `/v1/batches/${batchId}`)
      .set('Retry-After', retryAfterSeconds(await drainsInMs(parts)))
      .json(forCaller(response, answer));
  };
}

async function readBatch(request: Request, nowMs: number, callbackRule: CallbackRule) {
  const batch = parseEnvelope(request.body);
  // The items as they were sent are not needed beyond this; the garbage collector may have them before the answer is out.
  request.body = undefined;
  checkBatchCallback(batch, callbackRule);
  return { sorted: await sortItems(batch, nowMs, callbackRule), callbackUrl: batch.callbackUrl };
}

function parseEnvelope(body: unknown): InvestigationBatch {
  const parsed = investigationBatch.safeParse(body, { reportInput: true });
  if (parsed.success) return parsed.data;
  const errors = fieldFaults(parsed.error);
  throw new ProblemError('invalid_request', { detail: describeFaults(errors, 'the body'), errors });
}

/** Items whose faults are told when all are refused; they tend to share one mistake. */
const maxItemsTold = 20;

function noAcceptableItem(entries: readonly RefusedItem[]): ProblemError {
  const errors = entries.slice(0, maxItemsTold).flatMap(({ rejected: { index, error } }) =>
    error.errors.map(({ path, message }) => ({
      path: path === '' ? `requests[${index}]` : `requests[${index}].${path}`,
      message,
    })),
  );
  return new ProblemError('no_acceptable_item', { detail: describeFaults(errors, 'the item'), errors });
}

function answerFor(
  index: number,
  entry: Entry,
  { accepted, warning }: { accepted: AcceptedRequest | undefined; warning: DeadlineWarning | undefined },
): ItemAnswer {
  if (isRefused(entry)) return { ...entry.rejected, status: 'rejected' };
  const { machineId } = entry;
  // Acceptable as it is, but too many wait for its machine.
  if (!accepted) return { index, machineId, status: 'rejected', error: tooManyJoined };
  const { id, coalescedWith } = accepted;
  const warned = warning === undefined ? {} : { warning };
  return coalescedWith === undefined
    ? { index, id, machineId, status: 'accepted', ...warned }
    : { index, id, machineId, status: 'coalesced', coalescedWith, ...warned };
}

function countOutcomes(items: readonly ItemAnswer[]): DoorOutcomes {
  const counts: DoorOutcomes = { accepted: 0, coalesced: 0, rejected: 0 };
  for (const { status } of items) counts[status] += 1;
  return counts;
}

/** Ten thousand lines take a third as long again as accepting the batch, so they are there for those who look for something. */
function logItems(
  log: RequestLog,
  batchId: string,
  items: readonly ItemAnswer[],
  entries: readonly Entry[],
): void {
  if (!log.isDebugging) return;
  for (const [i, { index, status: outcome, ...item }] of items.entries()) {
    const entry = entries[i];
    const correlation = entry && !isRefused(entry) ? entry.correlation : undefined;
    const { machineId } = item;
    if ('error' in item) {
      log.debug({ batchId, index, machineId, outcome, error: item.error.message }, 'request rejected');
    } else {
      const { id: requestId, warning: _, ...joined } = item;
      log.debug({ requestId, batchId, index, ...joined, correlation, outcome }, 'request accepted');
    }
  }
}

/** The batch is safe by now: that the time cannot be told does not make it fail. */
async function drainsInMs({ readState }: Pick<AppParts, 'readState'>): Promise<number | undefined> {
  try {
    const state = await readState();
    const atMs = drainedAtMs(state);
    return atMs === undefined ? undefined : atMs - state.view.nowMs;
  } catch {
    return undefined;
  }
}
