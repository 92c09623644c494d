import type { SlotInUse } from '@diq/quota/ledger/replies.ts';

/** What came of the calls that hold slots, in a closed list; the ledger's own words are more, and those of workers to come. */
export const slotOutcomes = ['in_flight', 'started', 'throttled', 'no_answer', 'failed'] as const;

type SlotOutcome = (typeof slotOutcomes)[number];

const byRecorded: Readonly<Record<string, SlotOutcome>> = {
  in_flight: 'in_flight',
  started: 'started',
  already_running: 'started',
  throttled: 'throttled',
  unknown: 'no_answer',
  lost: 'no_answer',
  timeout: 'no_answer',
  connection_lost: 'no_answer',
};

/** Slots in use by outcome; one whose call is not on record any more counts as `no_answer`. */
export function countSlots(slots: readonly SlotInUse[]): Record<SlotOutcome, number> {
  const counts = { in_flight: 0, started: 0, throttled: 0, no_answer: 0, failed: 0 };
  for (const { call } of slots) counts[byRecorded[call?.outcome ?? 'unknown'] ?? 'failed'] += 1;
  return counts;
}
