import type { FieldFault } from '@diq/contracts/field-fault.ts';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import type { ItemError, StoredItemError } from '@diq/contracts/item-answer.ts';
import type { NamedMachine } from '@diq/contracts/machine-name.ts';
import { wholeCharacters } from '@diq/contracts/text.ts';
import { tooManyJoined } from '@diq/queue/admission/accept-requests.ts';
import { describeFaults } from '../http/parse-or-400.ts';

/** An item of a batch that is refused. It is answered, and kept for as long as its batch. */
export interface RefusedItem {
  rejected: NamedMachine & { index: number; error: ItemError };
}

/** An item of a batch as it is accepted, or its refusal. */
export type Entry = InvestigationItem | RefusedItem;

/**
 * Bytes of JSON that a caller's own words may take in a refusal: a few hundred in all, whatever is posted. A field's path
 * has names that a caller made up; our own reasons are shorter than theirs.
 */
const maxPathBytes = 96;
const maxReasonBytes = 160;
/** A machine id is echoed so that a caller finds its item again; anything longer is none. */
const maxEchoedBytes = 64;
/** Bytes of the refusals of one batch whose faults are given, some two thousand of them: they tend to share one mistake. */
const maxFaultBytes = 512 * 1_024;

/** What is answered for an item with these faults, of which there are `faultCount`. */
export function refuseItem(
  index: number,
  input: unknown,
  { faults, faultCount }: { faults: readonly FieldFault[]; faultCount: number },
): RefusedItem {
  const [first] = faults;
  const errors = first
    ? [{ path: clipBytes(first.path, maxPathBytes), message: clipBytes(first.message, maxReasonBytes) }]
    : [];
  const further = faultCount - errors.length;
  const machineId = echoableMachineId(input);
  const error = withMessage({
    code: 'invalid_item',
    errors,
    ...(further > 0 ? { furtherFaults: further } : {}),
  });
  return { rejected: { index, ...(machineId === undefined ? {} : { machineId }), error } };
}

/** The error as it is answered: its sentence is made of the rest and not stored. */
export function withMessage(error: StoredItemError): ItemError {
  return { ...error, message: messageOf(error) };
}

function messageOf({ code, errors, furtherFaults = 0 }: StoredItemError): string {
  if (code === 'too_many_joined') return tooManyJoined.message;
  if (errors.length > 0) return describeFaults(errors, 'the item', errors.length + furtherFaults);
  return 'The item was refused. Its fault is left out, because so many of its batch were refused.';
}

/**
 * The same entries, but for refusals behind the last whose fault fits into the bound of a batch: of those only
 * the code is left. Tells how many they are.
 */
export function boundRefusals(entries: readonly Entry[]): { entries: Entry[]; withoutFault: number } {
  let bytes = 0;
  let withoutFault = 0;
  const bounded = entries.map((entry) => {
    if (!isRefused(entry)) return entry;
    bytes += Buffer.byteLength(JSON.stringify(entry));
    if (bytes <= maxFaultBytes) return entry;
    withoutFault += 1;
    const { index, error } = entry.rejected;
    return { rejected: { index, error: withMessage({ code: error.code, errors: [] }) } };
  });
  return { entries: bounded, withoutFault };
}

export function isRefused(entry: Entry): entry is RefusedItem {
  return 'rejected' in entry;
}

function echoableMachineId(input: unknown): string | undefined {
  const machineId =
    typeof input === 'object' && input !== null && 'machineId' in input ? input.machineId : undefined;
  if (typeof machineId !== 'string' || machineId.length > maxEchoedBytes) return undefined;
  return machineId.isWellFormed() && bytesOf(machineId) <= maxEchoedBytes ? machineId : undefined;
}

/** As JSON. */
function bytesOf(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}

/** What of a text fits into so many bytes of JSON, cut between two characters. */
function clipBytes(given: string, maxBytes: number): string {
  const text = wholeCharacters(given);
  if (bytesOf(text) <= maxBytes) return text;
  let clipped = '';
  let bytes = bytesOf('…');
  for (const character of text) {
    bytes += bytesOf(character);
    if (bytes > maxBytes) break;
    clipped += character;
  }
  return `${clipped}…`;
}
