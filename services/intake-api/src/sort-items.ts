import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FieldFault } from '@diq/contracts/field-fault.ts';
import type { InvestigationBatch } from '@diq/contracts/investigation-batch.ts';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import type { ItemError } from '@diq/contracts/item-answer.ts';
import { parseItem } from '@diq/contracts/parse-item.ts';
import type { CallbackRule } from './callbacks/callback-rule.ts';
import { checkCallback } from './callbacks/check-callback.ts';
import { describeFaults } from './describe-faults.ts';

export interface RefusedItem {
  rejected: { index: number; machineId?: string; error: ItemError };
}

/** Items validated in one go, some 3 ms: other requests get their turn in between. */
const chunkSize = 250;
/** A machine id is echoed so that a caller finds its item again; anything longer is none. */
const maxEchoedLength = 64;

/** Validates the items of a batch one by one, in input order: what is acceptable, and what refuses itself and why. */
export async function sortItems(
  batch: InvestigationBatch,
  nowMs: number,
  callbackRule: CallbackRule,
): Promise<(InvestigationItem | RefusedItem)[]> {
  const entries: (InvestigationItem | RefusedItem)[] = [];
  for (const [index, input] of batch.requests.entries()) {
    if (index > 0 && index % chunkSize === 0) await nextTurn();
    const parsed = checkCallback(parseItem(input, nowMs, batch.defaults), callbackRule);
    entries.push(parsed.ok ? parsed.item : refused(index, input, parsed.faults));
  }
  return entries;
}

export function isRefused(entry: InvestigationItem | RefusedItem): entry is RefusedItem {
  return 'rejected' in entry;
}

function refused(index: number, input: unknown, errors: FieldFault[]): RefusedItem {
  const machineId = echoableMachineId(input);
  const error: ItemError = { code: 'invalid_item', message: describeFaults(errors, 'the item'), errors };
  return { rejected: { index, ...(machineId === undefined ? {} : { machineId }), error } };
}

function echoableMachineId(input: unknown): string | undefined {
  const machineId =
    typeof input === 'object' && input !== null && 'machineId' in input ? input.machineId : undefined;
  return typeof machineId === 'string' && machineId.length <= maxEchoedLength ? machineId : undefined;
}
