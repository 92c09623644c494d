import { z } from 'zod';

const ms = z.number();

/** One call as the ledger records it. `outcome` is `under-way` until an answer is recorded. */
const ledgerCall = z.object({
  callId: z.string(),
  dispatchId: z.string(),
  machineId: z.string(),
  spentAt: ms,
  answeredAt: ms.optional(),
  outcome: z.string(),
  facts: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
});

export type LedgerCall = z.output<typeof ledgerCall>;

export function parseCall(json: string): LedgerCall {
  return ledgerCall.parse(JSON.parse(json));
}

/** Granted, or why not. `freeSinceMs` is when the slot taken had opened or a hold had ended; 0 when neither ever was. */
export const spendReply = z.union([
  z
    .tuple([z.literal('granted'), ms, z.number(), ms])
    .transform(([kind, spentAtMs, used, freeSinceMs]) => ({ kind, spentAtMs, used, freeSinceMs })),
  z
    .tuple([z.literal('spent'), z.string(), ms])
    .transform(([kind, callId, nowMs]) => ({ kind, callId, nowMs })),
  z
    .tuple([z.literal('held'), ms, ms, z.string()])
    .transform(([kind, untilMs, nowMs, reason]) => ({ kind, untilMs, nowMs, reason })),
  z
    .tuple([z.literal('full'), ms, ms])
    .transform(([kind, nextSlotAtMs, nowMs]) => ({ kind, nextSlotAtMs, nowMs })),
]);

export type SpendReply = z.output<typeof spendReply>;

export const answerReply = z.tuple([z.enum(['recorded', 'missing']), ms]);

export const holdReply = z.tuple([ms, ms]);

/** A permit in use: when it is free again, and the call it was spent on (absent if the record of it is gone). */
export interface SlotInUse {
  freeAtMs: number;
  call: LedgerCall | undefined;
}

/** The ledger at one instant of Redis' clock. */
export interface LedgerView {
  nowMs: number;
  limit: number;
  windowMs: number;
  /** Ordered by the time at which they are free again. */
  slotsInUse: SlotInUse[];
  /** The hold that ends last, if any is on. */
  hold: { reason: string; untilMs: number } | undefined;
  /** Reasons of all holds that are on. */
  holdsOn: string[];
}

export const lookReply = z
  .tuple([ms, z.number(), ms, z.array(z.union([z.string(), ms])), z.array(z.union([z.string(), ms]))])
  .transform(([nowMs, limit, windowMs, holds, slots]): LedgerView => {
    const holdsOn = pairs(holds).map(([reason, untilMs]) => ({
      reason: String(reason),
      untilMs: Number(untilMs),
    }));
    return {
      nowMs,
      limit,
      windowMs,
      holdsOn: holdsOn.map(({ reason }) => reason),
      hold: holdsOn.reduce<LedgerView['hold']>(
        (last, on) => (last && last.untilMs >= on.untilMs ? last : on),
        undefined,
      ),
      slotsInUse: pairs(slots).map(([freeAtMs, json]) => ({
        freeAtMs: Number(freeAtMs),
        call: json === 'null' ? undefined : parseCall(String(json)),
      })),
    };
  });

function pairs<T>(flat: readonly T[]): [T, T][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => flat.slice(2 * i, 2 * i + 2) as [T, T]);
}
