import { fieldsOf } from '@diq/contracts/operations/result-fields.ts';
import { parseItem, type InvestigationItem, type ItemRules } from '@diq/contracts/investigation-item.ts';
import type { AcceptedRequest, RequestIntake } from '@diq/queue/admission/accept-requests.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import type { CallbackRule } from '../callbacks/callback-rule.ts';
import { describeFaults } from '../http/parse-or-400.ts';
import { ProblemError } from '../http/problem-error.ts';
import { requireRiskScope, type RequestContext } from '../http/request-context.ts';
import type { DeadlineCheck, Judged } from './deadline-check.ts';
import { isRefused, type RefusedItem } from './item-refusal.ts';
import { checkCallback } from './validate-items.ts';

/** How many requests of a POST were accepted, joined another, or were refused. */
type CountOutcomes = (outcomes: { accepted: number; coalesced: number; rejected: number }) => void;

/** What one item passes on its way to acceptance, of the queue that was chosen. */
export interface ItemIntake {
  itemRules: ItemRules;
  callbackRule: CallbackRule;
  deadlineCheck: DeadlineCheck;
  intake: Pick<RequestIntake, 'acceptOne'>;
  countOutcomes: CountOutcomes;
  readAhead: () => void;
}

/**
 * An item that may be accepted, and what is to be expected of it. The caller must be allowed to ask for what it asks for.
 *
 * @param dryRun nothing is counted, and its place is found
 * @throws ProblemError
 */
export async function judgeItem(
  context: RequestContext,
  input: unknown,
  { itemRules, callbackRule, deadlineCheck, countOutcomes }: ItemIntake,
  { dryRun = false } = {},
): Promise<{ item: InvestigationItem; judged: Judged }> {
  requireRiskScope(context);
  const { nowMs, ids, isRepeat } = context.submission;
  const countRefusal = () => {
    if (!dryRun) countOutcomes({ accepted: 0, coalesced: 0, rejected: 1 });
  };
  const parsed = checkCallback(parseItem(input, nowMs, itemRules), callbackRule);
  if (!parsed.ok) {
    countRefusal();
    throw new ProblemError('invalid_request', {
      detail: describeFaults(parsed.faults, 'the body', parsed.faultCount),
      errors: parsed.faults,
    });
  }
  const knownAs = isRepeat ? ids.request : undefined;
  const options = { nowMs, caller: context.caller.name, knownAs, wantsPlaces: dryRun };
  const judged = await deadlineCheck.judge([parsed.item], options);
  const [item] = judged.entries;
  if (!item || isRefused(item)) {
    countRefusal();
    throw tooLate(item);
  }
  return { item, judged };
}

/** Records one item. Resolves when Redis has acknowledged it. */
export async function acceptItem(
  context: RequestContext,
  item: InvestigationItem,
  { intake, countOutcomes, readAhead }: ItemIntake,
): Promise<AcceptedRequest> {
  const { nowMs, ids } = context.submission;
  readAhead();
  const caller = context.caller.name;
  const accepted = await intake.acceptOne(item, { nowMs, ids, caller, trace: context.trace });
  const coalesced = accepted.coalescedWith === undefined ? 0 : 1;
  countOutcomes({ accepted: 1 - coalesced, coalesced, rejected: 0 });
  return accepted;
}

/** The line by which a request is found that was accepted. */
export function logAccepted(
  { log }: RequestContext,
  { id, machineId, correlation, status: to, coalescedWith, result }: RequestDocument,
): void {
  const about = { requestId: id, machineId, correlation, to, coalescedWith };
  log.info({ ...about, ...fieldsOf(result) }, 'request accepted');
}

function tooLate(item: RefusedItem | undefined): ProblemError {
  const error = item?.rejected.error;
  if (!error) throw new Error('an item was given no answer');
  return new ProblemError('deadline_unreachable', { detail: error.message, errors: error.errors });
}
