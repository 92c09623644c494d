import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  parseItem,
  type InvestigationBatch,
  type InvestigationItem,
} from '@diq/contracts/investigation-item.ts';
import type { CallbackRule } from '../callbacks/callback-rule.ts';
import { checkCallback } from './check-callback.ts';
import { refuseItem, type RefusedItem } from './item-refusal.ts';

/** Items validated in one go, some 3 ms: other requests get their turn in between. */
const chunkSize = 250;

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
    entries.push(parsed.ok ? parsed.item : refuseItem(index, input, parsed));
  }
  return entries;
}
