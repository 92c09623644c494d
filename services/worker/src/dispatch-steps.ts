import { uuidv7 } from 'uuidv7';
import type { Logger } from '@diq/runtime/logger.ts';
import type { Dispatch, DispatchStore, Moved } from '@diq/queue/dispatch-store.ts';
import type { HoldReason, Ledger } from '@diq/quota/ledger.ts';
import type { SpendReply } from '@diq/quota/ledger-replies.ts';
import type { Consequence } from './consequence.ts';
import type { CallOutcome, DefenderClient } from './defender/defender-client.ts';
import type { TokenProvider, TokenResult } from './defender/token-provider.ts';
import { holdLengths } from './hold-lengths.ts';
import { moveRequests } from './move-requests.ts';
import { persistently } from './persistently.ts';
import type { Call, DispatchSteps, TicketFate } from './run-dispatch.ts';
import { startSendDeadline } from './send-deadline.ts';
import { throttleCause } from './throttle-cause.ts';
import type { WorkerMetrics } from './metrics.ts';

export interface DispatchStepsOptions {
  ledger: Ledger;
  dispatches: DispatchStore;
  tokens: TokenProvider;
  defender: DefenderClient;
  metrics: WorkerMetrics;
  logger: Logger;
  limit: number;
  windowMs: number;
  /** How long after its permit was spent a call can at most be under way, as the ledger counts it. */
  permitTimeoutMs: number;
  /** How long after that a call must have begun. */
  beginWithinMs: number;
  /** From the loss of an answer until Defender is asked for the first time what became of the call. */
  firstLookInMs: number;
  /** Gives up calls in flight. */
  abandonCalls: AbortSignal;
  /** Gives up storing outcomes: the process is about to end. */
  abandonRecords: AbortSignal;
}

/** Outcomes that show Defender to be at work: what failed in a row before is over. */
const isWorking: ReadonlySet<CallOutcome['kind']> = new Set([
  'started',
  'machine-not-found',
  'refused',
  'already-running',
]);

/** The process stood still between taking its permit and using it. */
const tooLate: CallOutcome = { kind: 'not-sent', reason: 'send-deadline-passed', durationMs: 0 };

/** The steps of a dispatch on the real ledger, store, token provider and Defender. */
export function createDispatchSteps(options: DispatchStepsOptions): DispatchSteps {
  const { ledger, dispatches, tokens, defender, metrics, logger } = options;
  const lengths = holdLengths(options.windowMs);
  /** A token obtained because the one before it was rejected, until Defender accepts it. */
  let unprovenToken: string | undefined;
  /** Permits out when one was spent, of how many, for telling whose use a throttling follows. */
  const usedAtCall = new Map<string, { used: number; limit: number }>();

  const untilStored = <T>(act: () => Promise<T>) =>
    persistently(act, {
      signal: options.abandonRecords,
      onFailure: (error) => logger.warn({ err: error }, 'outcome not stored yet, trying again'),
    });

  async function hold(reason: Exclude<HoldReason, 'paused'>, forMs: number | undefined): Promise<void> {
    const { untilMs, nowMs } =
      forMs === undefined
        ? await ledger.holdGrowing(reason, lengths[reason])
        : await ledger.hold(reason, forMs);
    logger.warn(
      { reason, until: new Date(untilMs).toISOString(), forMs: untilMs - nowMs },
      'nobody calls for now',
    );
  }

  function observe({ callId, dispatch }: Call, outcome: CallOutcome): void {
    metrics.calls.inc({ outcome: outcome.kind });
    metrics.callDuration.observe(outcome.durationMs / 1_000);
    if (outcome.kind === 'throttled') {
      const { used, limit } = usedAtCall.get(callId) ?? { used: 0, limit: options.limit };
      metrics.throttled.inc({ cause: throttleCause(used, limit) });
    }
    usedAtCall.delete(callId);
    logger.info({ callId, dispatchId: dispatch.id, machineId: dispatch.machineId, outcome }, 'call ended');
  }

  async function renewToken(token: string): Promise<void> {
    const renewed = await tokens.renewAfterRejection(token);
    unprovenToken = renewed.kind === 'token' ? renewed.token : undefined;
  }

  return {
    newCallId: uuidv7,
    startSendDeadline: () => startSendDeadline(options),
    getToken: () => tokens.get(),
    holdWithoutToken: (token) => hold('no-token', waitBeforeToken(token)),

    async spend(callId, dispatch) {
      const reply = await ledger.spend({ callId, dispatchId: dispatch.id, machineId: dispatch.machineId });
      if (reply.kind === 'granted') {
        usedAtCall.set(callId, { used: reply.used, limit: reply.limit });
        const readySinceMs = Math.max(reply.freeSinceMs, dispatch.createdAtMs);
        metrics.dispatchLag.observe(Math.max(0, reply.spentAtMs - readySinceMs) / 1_000);
        metrics.queueWait.observe(Math.max(0, reply.spentAtMs - dispatch.createdAtMs) / 1_000);
      }
      return reply;
    },
    onRefusal: (reply, dispatch) => followRefusal(reply, dispatch, options),

    async begin({ callId, dispatch }) {
      const moved = await dispatches.begin(dispatch.id, callId);
      if (!moved.moved) logger.info({ dispatchId: dispatch.id, state: moved.state }, 'nothing left to call');
      return moved.moved;
    },
    giveBackUnused: ({ callId, dispatch }) =>
      untilStored(async () => {
        usedAtCall.delete(callId);
        await dispatches.giveBack(dispatch.id, callId);
        await ledger.giveBack(callId);
      }),

    async call(call, token) {
      const outcome = call.sendBy.mayBegin()
        ? await defender.start({
            machineId: call.dispatch.machineId,
            comment: call.dispatch.comment,
            token,
            tokenRenewed: token === unprovenToken,
            signal: options.abandonCalls,
            mayStillSend: () => call.sendBy.mayStillSend(),
          })
        : tooLate;
      observe(call, outcome);
      if (outcome.kind === 'token-rejected' || outcome.kind === 'not-allowed') await renewToken(token);
      else if (outcome.kind !== 'not-sent' && token === unprovenToken) unprovenToken = undefined;
      return outcome;
    },

    record: (call, outcome, consequence) =>
      untilStored(() => record(call, outcome, consequence, { ...options, hold })),

    async expire(dispatch) {
      const error = {
        code: 'deadline_reached',
        message: 'The time after which it must not be started was reached.',
      };
      await dispatches.endWaiting(dispatch.id, { status: 'expired', error, attempts: 0 });
      logger.info({ dispatchId: dispatch.id, machineId: dispatch.machineId }, 'expired while waiting');
    },
  };
}

/** Ledger first: what it says of a call is what a successor goes by if this process ends in between. */
async function record(
  { callId, dispatch }: Call,
  outcome: CallOutcome,
  { requests, permit, hold: held }: Consequence,
  {
    ledger,
    dispatches,
    logger,
    hold,
    firstLookInMs,
  }: DispatchStepsOptions & {
    hold: (reason: Exclude<HoldReason, 'paused'>, forMs: number | undefined) => Promise<void>;
  },
): Promise<void> {
  if (permit === 'spent') {
    const facts = {
      requests: JSON.stringify(requests),
      ...('status' in outcome && { httpStatus: outcome.status }),
    };
    const recorded = await ledger.recordAnswer(callId, { outcome: outcome.kind, facts });
    if (!recorded) logger.error({ callId, outcome }, 'the ledger has lost this call');
  }
  if (held && held.reason !== 'paused')
    await hold(held.reason, held.length === 'growing' ? undefined : held.length.forMs);
  if (isWorking.has(outcome.kind)) await ledger.endStreaks();
  const moved = await moveRequests(dispatches, { id: dispatch.id, callId }, requests, firstLookInMs);
  if (permit === 'unspent') await ledger.giveBack(callId);
  if (isLost(moved)) {
    logger.error(
      { callId, dispatchId: dispatch.id, outcome, state: moved.state },
      'the outcome came too late to be stored',
    );
  }
}

/** Given back before, or by somebody else, is no loss. */
function isLost(moved: Moved): moved is Extract<Moved, { moved: false }> {
  return !moved.moved && moved.state !== 'waiting';
}

/** `undefined` for a growing wait: also where the authority asks for none, or it would be asked without a pause. */
function waitBeforeToken({
  retryAfterMs = 0,
}: Extract<TokenResult, { kind: 'unavailable' }>): number | undefined {
  return retryAfterMs > 0 ? retryAfterMs : undefined;
}

/** What to do with the ticket when the ledger says no. */
async function followRefusal(
  reply: Exclude<SpendReply, { kind: 'granted' }>,
  dispatch: Dispatch,
  { ledger, metrics, logger, permitTimeoutMs }: DispatchStepsOptions,
): Promise<TicketFate> {
  if (reply.kind === 'held' || reply.kind === 'lost') return 'back';
  if (reply.kind === 'full') {
    metrics.interlockRefusals.inc();
    logger.warn(
      { dispatchId: dispatch.id, nextSlotAtMs: reply.nextSlotAtMs },
      'limiter and ledger disagree, waiting',
    );
    return 'back';
  }
  // A call that was never begun is in the books for it: its process ended between the two, or is about to begin.
  // Past its deadline it cannot begin any more. The ticket comes back with the next search for missing ones.
  const call = await ledger.findCall(reply.callId);
  if (call && call.spentAt + permitTimeoutMs < reply.nowMs) await ledger.giveBack(reply.callId);
  return 'done';
}
