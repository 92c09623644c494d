import { countFaults, fieldFaults } from './field-fault.ts';
import type { FieldFault } from './field-fault.ts';
import type { InvestigationBatch } from './investigation-batch.ts';
import { investigationItem } from './investigation-item.ts';
import type { InvestigationItem } from './investigation-item.ts';

/** `faultCount`: how many faults there are, of which the first ones are named. */
export type ParsedItem =
  { ok: true; item: InvestigationItem } | { ok: false; faults: FieldFault[]; faultCount: number };

/** Validates one item against the item schema, the batch's defaults filled in where the item says nothing. */
export function parseItem(
  input: unknown,
  nowMs: number,
  defaults?: InvestigationBatch['defaults'],
): ParsedItem {
  const parsed = investigationItem.safeParse(withDefaults(input, defaults), { reportInput: true });
  if (!parsed.success) {
    return { ok: false, faults: fieldFaults(parsed.error), faultCount: countFaults(parsed.error) };
  }
  if (parsed.data.notAfter !== undefined && Date.parse(parsed.data.notAfter) <= nowMs) {
    return { ok: false, faults: [{ path: 'notAfter', message: 'must lie in the future' }], faultCount: 1 };
  }
  return { ok: true, item: parsed.data };
}

function withDefaults(input: unknown, defaults: InvestigationBatch['defaults']): unknown {
  const isObject = typeof input === 'object' && input !== null && !Array.isArray(input);
  return defaults && isObject ? { ...defaults, ...input } : input;
}
