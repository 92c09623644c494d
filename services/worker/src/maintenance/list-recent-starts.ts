import type { Records, ResultKind } from '@diq/contracts/operations/profile.ts';
import { fieldsOf } from '@diq/contracts/operations/result-fields.ts';
import type { KnownStart } from '@diq/quota/ledger/ledger.ts';
import type { DefenderReader, Patience, ReadFailure, Reading, Rows } from '../defender/defender-reader.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { TokenProvider } from '../defender/auth/token-provider.ts';

/** Defender reports a start in whole seconds, rounded down. */
const roundingMs = 1_000;
/** By how much Defender's clock may be behind Redis' without a window being cut short. */
export const clockSlackMs = 5_000;

/** What a call of the operation started, as Defender lists it. */
export interface Started {
  readonly kind: ResultKind;
  readonly id: string;
  readonly startedAtMs: number | undefined;
  readonly machineId: string | undefined;
}

/** Defender's list of what was started, or why it could not be read. */
export type StartedReading =
  | { kind: 'read'; value: Rows<Started> }
  | {
      kind: 'unreadable';
      reason: ReadFailure | 'not_found' | 'no_token';
      retryAfterMs?: number | undefined;
      httpStatus?: number | undefined;
      /** For a missing token. */
      code?: string | undefined;
    };

/**
 * Reads, with the worker's own token, what the operation started since then, in the list that its profile names. Never
 * rejects because of Defender. With `onWait` it waits for the budget of reads, page by page.
 */
export function createReadStarted(
  reader: Pick<DefenderReader, 'listInvestigations' | 'listMachineActions'>,
  tokens: TokenProvider,
  records: Records,
  onWait?: Patience['onWait'],
) {
  return async (startedSinceMs: number): Promise<StartedReading> => {
    const got = await tokens.get();
    if (got.kind === 'unavailable') {
      return { kind: 'unreadable', reason: 'no_token', retryAfterMs: got.retryAfterMs, code: got.code };
    }
    const reading = await listStarted(reader, got.token, records, {
      startedSinceMs,
      ...(onWait && { onWait }),
    });
    if (reading.kind === 'not_found') return { kind: 'unreadable', reason: 'not_found', httpStatus: 404 };
    if (reading.kind === 'unreadable' && reading.reason === 'token_rejected') {
      await tokens.renewAfterRejection(got.token);
    }
    return reading;
  };
}

/** From one line of the log to the next while the list waits for the budget of reads. */
const lineEveryMs = 10_000;

/** Says how far the list was read, and when it goes on. */
export function createWaitReport(
  logger: Pick<Logger, 'info'>,
  nowMs: () => number = () => performance.now(),
): NonNullable<Patience['onWait']> {
  let silentUntilMs = -Infinity;
  return ({ pages, forMs }) => {
    if (nowMs() < silentUntilMs) return;
    silentUntilMs = nowMs() + lineEveryMs;
    logger.info({ pages, nextReadInMs: forMs }, 'reading what was started waits for the budget of reads');
  };
}

async function listStarted(
  reader: Pick<DefenderReader, 'listInvestigations' | 'listMachineActions'>,
  token: string,
  records: Records,
  { startedSinceMs, ...patience }: { startedSinceMs: number } & Patience,
): Promise<Reading<Rows<Started>>> {
  if (records.list === 'investigations') {
    const reading = await reader.listInvestigations(token, { startedSinceMs, ...patience });
    return asStarted(reading, ({ id, startTimeMs: startedAtMs, machineId }) => {
      return { kind: 'investigation', id, startedAtMs, machineId };
    });
  }
  const { type } = records;
  const reading = await reader.listMachineActions(token, {
    type,
    createdSinceMs: startedSinceMs,
    ...patience,
  });
  return asStarted(reading, ({ id, createdAtMs: startedAtMs, machineId }) => {
    return { kind: 'machineAction', id, startedAtMs, machineId };
  });
}

function asStarted<T>(reading: Reading<Rows<T>>, startedOf: (record: T) => Started): Reading<Rows<Started>> {
  if (reading.kind !== 'read') return reading;
  const { records, odd } = reading.value;
  return { kind: 'read', value: { records: records.map(startedOf), odd } };
}

/** From when on what was started may still count in a window that ends now. */
export function countsSinceMs(nowMs: number, windowMs: number): number {
  return nowMs - windowMs - roundingMs - clockSlackMs;
}

/**
 * What Defender lists as calls of the ledger, the latest first and no more than the limit: further ones change nothing.
 * One without a start time, or with one in the future, counts from now; a row that cannot be read counts as a call as well.
 */
export function knownStarts(
  { records, odd }: Rows<Started>,
  { nowMs, limit }: { nowMs: number; limit: number },
): KnownStart[] {
  const starts = new Map<string, KnownStart>();
  const add = (
    callId: string,
    start: Pick<Started, 'startedAtMs' | 'machineId'>,
    facts: KnownStart['facts'],
  ): void => {
    const startedAtMs = Math.min(start.startedAtMs ?? nowMs, nowMs);
    // What is listed on two pages is one call, and the later time the safer one.
    if ((starts.get(callId)?.startedAtMs ?? -Infinity) > startedAtMs) return;
    const countsFromMs = startedAtMs + roundingMs + clockSlackMs;
    starts.set(callId, { callId, machineId: start.machineId ?? '', startedAtMs, countsFromMs, facts });
  };
  for (const one of records) {
    const name = one.kind === 'investigation' ? 'investigation' : 'action';
    add(`${name}-${one.id}`, one, { ...fieldsOf(one) });
  }
  for (const [i, { atMs, machineId }] of odd.entries()) {
    add(`unreadable-${i + 1}`, { startedAtMs: atMs, machineId }, {});
  }
  return [...starts.values()].toSorted((one, other) => other.countsFromMs - one.countsFromMs).slice(0, limit);
}
