import { z } from 'zod';
import {
  parseItem,
  type InvestigationBatch,
  type ItemRules,
  type ParsedItem,
} from '@diq/contracts/investigation-item.ts';
import { inSlices } from '@diq/runtime/async/in-slices.ts';
import type { CallbackRule } from '../callbacks/callback-rule.ts';
import { refuseItem, type Entry } from './item-refusal.ts';
import { ProblemError } from '../http/problem-error.ts';
import { describeFaults } from '../http/parse-or-400.ts';

/**
 * The query of a POST; other parameters than this are ignored. Anything but `true` and `false` is a fault: nothing is
 * recorded on a misspelt wish to record nothing.
 */
export const dryRunQuery = z.object({
  dryRun: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .optional()
    .describe('Answers what would become of it, and records nothing.'),
});

/** Items validated in one go, some 3 ms: other requests get their turn in between. */
const chunkSize = 250;

/** Validates the items of a batch one by one, in input order: what is acceptable, and what refuses itself and why. */
export async function sortItems(
  batch: InvestigationBatch,
  nowMs: number,
  rules: ItemRules,
  callbackRule: CallbackRule,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  await inSlices(batch.requests, chunkSize, (input, index) => {
    const parsed = checkCallback(parseItem(input, nowMs, rules, batch.defaults), callbackRule);
    entries.push(parsed.ok ? parsed.item : refuseItem(index, input, parsed));
  });
  return entries;
}

/** The item as it was parsed, or its refusal for a callback that may not be made. */
export function checkCallback(parsed: ParsedItem, rule: CallbackRule): ParsedItem {
  const url = parsed.ok ? parsed.item.callbackUrl : undefined;
  const message = url === undefined ? undefined : rule(url);
  return message === undefined
    ? parsed
    : { ok: false, faults: [{ path: 'callbackUrl', message }], faultCount: 1 };
}

/** @throws ProblemError 400 for a batch whose own callback may not be made. */
export function checkBatchCallback({ callbackUrl }: InvestigationBatch, rule: CallbackRule): void {
  const message = callbackUrl === undefined ? undefined : rule(callbackUrl);
  if (message === undefined) return;
  const errors = [{ path: 'callbackUrl', message }];
  throw new ProblemError('invalid_request', { detail: describeFaults(errors, 'the body'), errors });
}
