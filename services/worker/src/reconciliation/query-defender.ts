import type {
  Alert,
  DefenderReader,
  Investigation,
  OddRow,
  Reading,
  Rows,
} from '../defender/defender-reader.ts';
import type { TokenProvider } from '../defender/auth/token-provider.ts';
import {
  clockSlackMs,
  manualStartTitle,
  matchInvestigation,
  type UnresolvedCall,
  type Finding,
} from './match-investigation.ts';

/** What a look gave, or why it was none. */
export type LookedUp =
  | { readonly kind: 'looked'; readonly finding: Finding }
  | { readonly kind: 'unreadable'; readonly reason: string; readonly retryAfterMs?: number };

/** An investigation that waits for an approval stays open for 7 days at most. */
const longestOpenMs = 8 * 24 * 3_600_000;

/** Ends a look in the middle: without all answers there is no finding. */
class NotReadable extends Error {
  override readonly name = 'NotReadable';
  readonly why: Extract<LookedUp, { kind: 'unreadable' }>;

  constructor(why: Extract<LookedUp, { kind: 'unreadable' }>) {
    super(why.reason);
    this.why = why;
  }
}

/** One look in Defender for what became of a call: its alerts first, then what investigates the machine. */
export async function lookUp(
  call: UnresolvedCall & { readonly machineId: string },
  deps: { reader: DefenderReader; tokens: TokenProvider; pace: ReadPace },
): Promise<LookedUp> {
  const token = await deps.tokens.get();
  if (token.kind === 'unavailable') {
    const later = token.retryAfterMs === undefined ? {} : { retryAfterMs: token.retryAfterMs };
    return { kind: 'unreadable', reason: 'no_token', ...later };
  }
  try {
    return { kind: 'looked', finding: await find(call, token.token, deps) };
  } catch (error) {
    if (!(error instanceof NotReadable)) throw error;
    if (error.why.reason === 'token_rejected') await deps.tokens.renewAfterRejection(token.token);
    return error.why;
  }
}

async function find(
  call: UnresolvedCall & { readonly machineId: string },
  token: string,
  { reader, pace }: { reader: DefenderReader; pace: ReadPace },
): Promise<Finding> {
  const { machineId, sentAtMs, cause } = call;
  const ask = async <T>(read: () => Promise<Reading<T>>) => readOrThrow(await pace.ask(read));

  const createdSinceMs = sentAtMs - clockSlackMs;
  const alerts: Rows<Alert> =
    cause === 'running'
      ? none
      : ((await ask(() => reader.listAlerts(token, { machineId, createdSinceMs }))) ?? none);
  const byAlerts = matchInvestigation(call, { alerts: alerts.records, investigations: [] });
  if (byAlerts.kind === 'own' && byAlerts.investigationId !== undefined) return byAlerts;

  const startedSinceMs = sentAtMs - longestOpenMs;
  const investigations: Rows<Investigation> =
    (await ask(() => reader.listInvestigations(token, { machineId, startedSinceMs }))) ?? none;
  const finding = matchInvestigation(call, {
    alerts: alerts.records,
    investigations: investigations.records,
  });
  if (finding.kind === 'nothing') {
    // What cannot be read may be what is looked for: that proves nothing, and must not lead to another call.
    if (alerts.odd.some(mayBeOurs) || investigations.odd.length > 0) throw new NotReadable(oddRows);
    return finding;
  }
  if (finding.investigationId !== undefined) return finding;

  const { alertId = '' } = finding;
  const triggered = await pace.ask(() => reader.findInvestigation(token, alertId));
  // The alert is as good: an answer of another form must not hide what was found.
  if (triggered.kind === 'unreadable' && triggered.reason === 'unexpected_answer') return finding;
  return { ...finding, investigationId: readOrThrow(triggered)?.id };
}

const none = { records: [], odd: [] };
const oddRows = { kind: 'unreadable', reason: 'odd_rows' } as const;

/** An alert that is known to be of another kind can have no time and no id, for all we care. */
function mayBeOurs({ title }: OddRow): boolean {
  return title === undefined || title === manualStartTitle;
}

/** @returns `undefined` where Defender says that there is none */
function readOrThrow<T>(reading: Reading<T> | Paced): T | undefined {
  if (reading.kind === 'unreadable') throw new NotReadable(reading);
  return reading.kind === 'read' ? reading.value : undefined;
}

/** A read that was not made, to leave the quota of Defender's reads to others. */
export interface Paced {
  readonly kind: 'unreadable';
  readonly reason: 'paced';
  readonly retryAfterMs: number;
}

export type ReadPace = ReturnType<typeof createReadPace>;

/**
 * Defender allows 100 reads a minute and 1500 an hour to all workers together, and to every other program.
 *
 * @param nowMs a clock that only moves forward
 */
export function createReadPace({
  reads,
  perMs,
  nowMs = () => performance.now(),
}: {
  reads: number;
  perMs: number;
  nowMs?: () => number;
}) {
  const madeAtMs: number[] = [];
  let pausedUntilMs = 0;

  function waitMs(): number {
    const now = nowMs();
    while (madeAtMs[0] !== undefined && madeAtMs[0] <= now - perMs) madeAtMs.shift();
    const [oldest = now] = madeAtMs;
    const freeAtMs = madeAtMs.length < reads ? now : oldest + perMs;
    return Math.max(freeAtMs, pausedUntilMs) - now;
  }

  return {
    /** Makes the read, unless too many were made lately or Defender asked to be left alone. */
    async ask<T>(read: () => Promise<Reading<T>>): Promise<Reading<T> | Paced> {
      const retryAfterMs = waitMs();
      if (retryAfterMs > 0) return { kind: 'unreadable', reason: 'paced', retryAfterMs };
      madeAtMs.push(nowMs());
      const reading = await read();
      if (reading.kind === 'unreadable' && reading.retryAfterMs !== undefined) {
        pausedUntilMs = Math.max(pausedUntilMs, nowMs() + reading.retryAfterMs);
      }
      return reading;
    },
  };
}
