import { namingOf } from '@diq/contracts/machine-name.ts';
import type { Request } from 'express';
import { z } from 'zod';
import {
  investigationBatch,
  investigationItem,
  maxBatchItems,
  namedOnce,
  type ItemRules,
} from '@diq/contracts/investigation-item.ts';
import { batchAnswer, batchDryRun, type ItemAnswer } from '@diq/contracts/item-answer.ts';
import { batchDryRunReceipt, batchReceipt } from '@diq/contracts/receipts.ts';
import type { DeadlineWarning } from '@diq/contracts/request-document.ts';
import { tooManyJoined, type AcceptedRequest } from '@diq/queue/admission/accept-requests.ts';
import type { CallbackRule } from '../callbacks/callback-rule.ts';
import type { Dependencies } from '../dependencies.ts';
import { drainedAtMs } from '../estimates/queue-state.ts';
import { defineRoute, operationField } from '../http/define-route.ts';
import { describeFaults, parseOrRefuse } from '../http/parse-or-400.ts';
import { batchBodyLimitBytes } from '../http/middleware/require-json.ts';
import { ProblemError } from '../http/problem-error.ts';
import { requireRiskScope, type RequestLog } from '../http/request-context.ts';
import { retryAfterSeconds } from '../http/retry-after.ts';
import { checkBatchCallback, dryRunQuery, sortItems } from '../submission/validate-items.ts';
import { boundRefusals, isRefused, type Entry, type RefusedItem } from '../submission/item-refusal.ts';
import { forCaller } from '../submission/receipt.ts';
import { countOutcomes, dryRunAnswer } from '../submission/dry-run.ts';

/** What an item must have by itself: everything else may come from `defaults`. */
const batchItem = investigationItem.partial({ comment: true }).meta({
  id: 'BatchItem',
  description: 'One machine to be investigated; without a `comment`, that of `defaults`.',
  oneOf: namedOnce,
});

/** The envelope with its items as they should be: each is validated by itself, and a bad one refuses only itself. */
const requests = z.array(batchItem).min(1).max(maxBatchItems);
const body = investigationBatch.extend({ requests, operation: operationField }).meta({
  id: 'InvestigationBatch',
  description: 'Machines to be investigated, and what holds for all of them.',
});

/**
 * Answers 202 once Redis has acknowledged every acceptable item. Of the counts, `accepted` got a task of their own and
 * `coalesced` joined one; with `rejected` they add up to the number of items posted.
 */
export const submitBatch = defineRoute({
  method: 'post',
  path: '/v1/batches',
  id: 'submitBatch',
  tag: 'Batches',
  summary: 'Ask for many investigations',
  description:
    'A bad item rejects itself and not the batch. The 202 is sent once every accepted item is stored. Requests for one machine share one call.',
  scope: 'submit',
  queue: 'body',
  query: dryRunQuery,
  body: {
    schema: body,
    example: {
      defaults: { comment: 'INC-4711: suspicious logon', priority: 'high' },
      requests: [{ machineId: 'fb9ab6be3965095a09c057be7c90f0a2' }],
    },
    limitBytes: batchBodyLimitBytes,
    isReadByHandler: true,
    takesTurn: isLarge,
  },
  isIdempotent: true,
  answers: {
    200: {
      description: 'With `dryRun=true`: what would become of it.',
      schema: z.union([batchDryRun, batchDryRunReceipt]),
    },
    202: {
      description: 'What became of each item, in input order.',
      schema: z.union([batchAnswer, batchReceipt]),
      headers: ['Location', 'Operation-Location', 'Retry-After', 'Idempotent-Replayed?'],
    },
  },
  problems: ['no_acceptable_item', 'storage_full', 'backlog_full', 'redis_full'],
  async handle(
    { query, context, request, response },
    { intake, countOutcomes: countAtDoor, readState, deadlineCheck, callbackRule, itemRules }: Dependencies,
  ) {
    requireRiskScope(context);
    const isDryRun = query.dryRun === 'true';
    const { nowMs, ids, isRepeat } = context.submission;
    const { sorted, callbackUrl } = await readBatch(request, nowMs, itemRules, callbackRule);
    const caller = context.caller.name;
    const knownAs = isRepeat ? ids.request : undefined;
    const judged = await deadlineCheck.judge(sorted, { nowMs, caller, knownAs, wantsPlaces: isDryRun });
    const { warnings } = judged;
    const { entries, withoutFault } = boundRefusals(judged.entries);
    if (entries.every(isRefused)) {
      if (!isDryRun) countAtDoor({ accepted: 0, coalesced: 0, rejected: entries.length });
      throw noAcceptableItem(entries);
    }
    if (isDryRun) {
      const startMsAt = await deadlineCheck.startForecast();
      response.json(forCaller(context, dryRunAnswer({ ...judged, entries }, startMsAt, withoutFault)));
      return;
    }
    const { batchId, accepted } = await intake.acceptBatch(entries, {
      nowMs,
      ids,
      caller,
      callbackUrl,
      trace: context.trace,
      ofSource: context.ofSource,
    });
    const items = entries.map((entry, index) =>
      answerFor(index, entry, accepted[index], warnings.get(index)),
    );
    const counts = countOutcomes(items);
    countAtDoor(counts);
    context.log.info({ batchId, counts }, 'batch accepted');
    logItems(context.log, batchId, items, entries);
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
      .set('Retry-After', retryAfterSeconds(await drainsInMs(readState)))
      .json(forCaller(context, answer));
  },
});

/** A hundred batches of 24 strict items at once kept other callers waiting until Redis' answers to them came too late. */
const itemsWithoutTurn = 5;

function isLarge(posted: unknown): boolean {
  const requests = typeof posted === 'object' && posted !== null && Reflect.get(posted, 'requests');
  return Array.isArray(requests) && requests.length > itemsWithoutTurn;
}

async function readBatch(request: Request, nowMs: number, rules: ItemRules, callbackRule: CallbackRule) {
  const batch = parseOrRefuse(rules.batch, request.body, 'the body');
  // The items as they were sent are not needed beyond this; the garbage collector may have them before the answer is out.
  request.body = undefined;
  checkBatchCallback(batch, callbackRule);
  return { sorted: await sortItems(batch, nowMs, rules, callbackRule), callbackUrl: batch.callbackUrl };
}

/** Items whose faults are named when all are refused; they tend to share one mistake. */
const maxItemsNamed = 20;

function noAcceptableItem(entries: readonly RefusedItem[]): ProblemError {
  const errors = entries.slice(0, maxItemsNamed).flatMap(({ rejected: { index, error } }) =>
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
  accepted: AcceptedRequest | undefined,
  warning: DeadlineWarning | undefined,
): ItemAnswer {
  if (isRefused(entry)) return { ...entry.rejected, status: 'rejected' };
  const naming = namingOf(entry);
  // Acceptable as it is, but too many wait for its machine.
  if (!accepted) return { index, ...naming, status: 'rejected', error: tooManyJoined };
  const { id, coalescedWith } = accepted;
  const warned = warning === undefined ? {} : { warning };
  return coalescedWith === undefined
    ? { index, id, ...naming, status: 'accepted', ...warned }
    : { index, id, ...naming, status: 'coalesced', coalescedWith, ...warned };
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

/** The batch is safe by now: a time that is unknown does not make it fail. */
async function drainsInMs(readState: Dependencies['readState']): Promise<number | undefined> {
  try {
    const state = await readState();
    const atMs = drainedAtMs(state);
    return atMs === undefined ? undefined : atMs - state.view.nowMs;
  } catch {
    return undefined;
  }
}
