import type { Logger } from '@diq/runtime/logger.ts';
import type { Dispatch, DispatchStore, Doubt } from '@diq/queue/dispatch-store.ts';
import type { TicketQueue } from '@diq/queue/ticket-queue.ts';
import type { Ledger } from '@diq/quota/ledger.ts';
import type { DefenderReader } from '../defender/defender-reader.ts';
import type { TokenProvider } from '../defender/token-provider.ts';
import { aboutDispatch } from '../about-dispatch.ts';
import { endUnreadable, readDispatch } from '../end-unreadable.ts';
import type { WorkerMetrics } from '../metrics.ts';
import { lookUp } from './look-up.ts';
import type { LookedUp } from './look-up.ts';
import { nextStep } from './next-step.ts';
import type { ReconcileRules, ReconciliationOutcome, Step } from './next-step.ts';
import { createReadPace } from './read-pace.ts';

export interface ReconcilerOptions {
  ledger: Pick<Ledger, 'allowRepeat'>;
  dispatches: DispatchStore;
  tickets: TicketQueue;
  tokens: TokenProvider;
  /** Closed with the reconciler. */
  reader: DefenderReader;
  metrics: Pick<WorkerMetrics, 'reconciliations'>;
  logger: Logger;
  /** The application that calls. */
  clientId: string;
  /** How long after its permit was spent a call can at most be under way. */
  permitTimeoutMs: number;
  rules: ReconcileRules;
  /** For how long one look keeps other workers from the same call; longer than its reads take. */
  lookTimeoutMs: number;
}

export interface Reconciler {
  /** Looks for every call whose next look is due. Any number of workers may do this at the same time. */
  lookAtDue(): Promise<void>;
  /** Cuts the look under way short. */
  close(): Promise<void>;
}

/** A call whose outcome is being looked up, with all that the search needs. */
type InDoubt = Dispatch & { callId: string; sentAtMs: number; doubt: Doubt };

/** Of the 100 reads a minute that all workers share with everybody who uses the same application. */
const readsPerMinute = 30;

/** Asks Defender what became of calls whose answer was lost, until it shows them or the grace is over. */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { dispatches, tokens, reader, logger, clientId, permitTimeoutMs, rules } = options;
  const pace = createReadPace({ reads: readsPerMinute, perMs: 60_000 });
  let isClosed = false;

  async function look(id: string, nowMs: number): Promise<void> {
    const dispatch = await readDispatch(id, dispatches);
    if (dispatch === undefined || dispatch === 'unreadable') {
      await endUnreadable(id, options);
      return;
    }
    if (!isInDoubt(dispatch)) return;
    const { machineId, sentAtMs, doubt, doubtedAtMs = sentAtMs, calls } = dispatch;
    const call = {
      machineId,
      sentAtMs,
      cause: doubt.cause,
      arrivedByMs: sentAtMs + permitTimeoutMs,
      clientId,
      told: new Set(await dispatches.toldOf(machineId)),
    };
    const found = await lookUp(call, { reader, tokens, pace });
    logger.debug({ ...aboutDispatch(dispatch), callId: dispatch.callId, found }, 'looked up in Defender');
    const step = nextStep({ doubt, calls, doubtedAtMs, nowMs, ...whatOf(found) }, rules);
    const moved = await take(step, dispatch, options);
    if (moved && step.kind !== 'look-again') tell(step, dispatch, options);
  }

  return {
    async lookAtDue() {
      while (!isClosed) {
        const { id, nowMs } = await dispatches.takeDue(options.lookTimeoutMs);
        if (id === undefined) return;
        try {
          await look(id, nowMs);
        } catch (error) {
          // Comes back after its look's time; the others must not wait for it.
          logger.error({ err: error, dispatchId: id }, 'could not be looked up');
        }
      }
    },
    async close() {
      isClosed = true;
      await reader.close();
    },
  };
}

function isInDoubt(dispatch: Dispatch): dispatch is InDoubt {
  return (
    dispatch.state === 'reconciling' &&
    dispatch.callId !== undefined &&
    dispatch.sentAtMs !== undefined &&
    dispatch.doubt !== undefined
  );
}

function whatOf(found: LookedUp) {
  return found.kind === 'looked'
    ? { finding: found.finding }
    : { finding: undefined, retryAfterMs: found.retryAfterMs };
}

/** @returns false when the dispatch is in other hands by now */
async function take(
  step: Step,
  { id, callId, rank }: InDoubt,
  { ledger, dispatches, tickets }: ReconcilerOptions,
): Promise<boolean> {
  if (step.kind === 'look-again') return dispatches.lookAgain(id, callId, step.atMs);
  if (step.kind === 'settle') return (await dispatches.settle(id, callId, step.settlement)).moved;
  // First: what the ledger lets nobody repeat would wait for ever.
  await ledger.allowRepeat(callId);
  const { moved } = await dispatches.giveBack(id, callId);
  if (moved) await tickets.add([{ dispatchId: id, rank }]);
  return moved;
}

function tell(
  step: Exclude<Step, { kind: 'look-again' }>,
  dispatch: InDoubt,
  { metrics, logger }: ReconcilerOptions,
): void {
  const { callId, calls, doubt } = dispatch;
  const outcome: ReconciliationOutcome = step.kind === 'settle' ? step.outcome : 'retried';
  metrics.reconciliations.inc({ outcome });
  const { investigationId } = step.kind === 'settle' ? step.settlement : {};
  logger.info(
    { ...aboutDispatch(dispatch), callId, calls, code: doubt.error.code, outcome, investigationId },
    'reconciled with Defender',
  );
}
