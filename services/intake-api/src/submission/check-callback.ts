import type { InvestigationBatch, ParsedItem } from '@diq/contracts/investigation-item.ts';
import { ProblemError } from '../http/problem-error.ts';
import { describeFaults } from '../http/describe-faults.ts';
import type { CallbackRule } from '../callbacks/callback-rule.ts';

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
