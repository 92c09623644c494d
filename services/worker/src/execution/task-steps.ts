import { uuidv7 } from 'uuidv7';
import type { OperationProfile } from '@diq/contracts/operations/profile.ts';
import type { Tracing } from '@diq/runtime/tracing/tracing.ts';
import { deadlineError, type Task } from '@diq/queue/tasks/task-store.ts';
import type { Ledger } from '@diq/quota/ledger/ledger.ts';
import type { SpendReply } from '@diq/quota/ledger/replies.ts';
import { aboutTask, type MoveLog } from '../observability/transition-log.ts';
import { createCallTelemetry } from './call-telemetry.ts';
import { commentWithToken, correlationTokenOf } from '../defender/correlation-token.ts';
import type { CallOutcome, DefenderClient } from '../defender/defender-client.ts';
import type { RunningTasks } from '@diq/queue/tasks/running-tasks.ts';
import type { TokenProvider, TokenResult } from '../defender/auth/token-provider.ts';
import type { QueueMetrics } from '../observability/metrics.ts';
import { createOutageLog } from '../observability/outage-log.ts';
import type { Replication } from '@diq/redis/replication.ts';
import { policyFor } from './outcome-policy.ts';
import type { MachineTurns } from './machine-turns.ts';
import { createPendingWrites } from './pending-writes.ts';
import { recordOutcome } from './record-outcome.ts';
import { startSendDeadline, type Call, type JobFate, type TaskSteps } from './execute-task.ts';
import { restoreCall, type FinishCallOptions } from './finish-call.ts';
import { createSetHold } from './suspension-policy.ts';

export interface TaskStepsOptions extends Omit<FinishCallOptions, 'wording'> {
  profile: OperationProfile;
  tokens: TokenProvider;
  defender: DefenderClient;
  metrics: QueueMetrics;
  moveLog?: MoveLog;
  tracing?: Tracing;
  turns: Pick<MachineTurns, 'isNext' | 'block'>;
  /** Of an operation of which Defender runs only so many at once. */
  running?: RunningTasks | undefined;
  /** Calls of the last minute that were not made: what other steps of the same queue left. */
  unused?: UnusedCall[];
  /** Of the connection that ledger and tasks are on. */
  replication: Replication;
  windowMs: number;
  /** How long after its permit was spent a call must have begun. */
  beginWithinMs: number;
  /** Gives up calls in flight. */
  abandonCalls: AbortSignal;
  /** Gives up storing outcomes: the process is about to end. */
  abandonRecords: AbortSignal;
}

/** The process stood still between taking its permit and using it. */
const tooLate: CallOutcome = { kind: 'not_sent', reason: 'send_deadline_passed', durationMs: 0 };

/** The steps of a task on the real ledger, store, token provider and Defender. */
export function createTaskSteps(options: TaskStepsOptions): TaskSteps & { attemptPending(): Promise<void> } {
  const { profile, ledger, tasks, tokens, logger } = options;
  const telemetry = createCallTelemetry(options);
  const callTokens = createCallTokens(tokens, ledger);
  const unused = createUnusedCalls(options);
  const hold = createSetHold(ledger, options.windowMs, logger);
  const storing = createOutageLog(logger, 'storing the outcome of a call');
  const pending = createPendingWrites(options.abandonRecords, (error) => storing.failed(error));
  const untilStored = <T>(act: () => Promise<T>) => pending.untilStored(storing.watched(act));

  return {
    newCallId: uuidv7,
    startSendDeadline: () => startSendDeadline(options),
    getToken: (task) => callTokens.tokenFor(task.id),
    holdWithoutToken: ({ code, retryAfterMs = 0 }) =>
      // Growing also where the authority asks for no wait, or it would be asked without a pause.
      hold('no_token', retryAfterMs > 0 ? retryAfterMs : undefined, { code }),

    startIntent: () => options.replication.begin(),
    async spend(callId, task) {
      const reply = await ledger.spend({ callId, taskId: task.id, machineId: task.machineId });
      if (reply.kind === 'granted') telemetry.granted(callId, task, reply);
      return reply;
    },
    onRefusal: (reply, task) => followRefusal(reply, task, options),

    async begin({ callId, task }) {
      const moved = await tasks.begin(task.id, callId);
      if (!moved.moved) {
        logger.info({ ...aboutTask(task), state: moved.state }, 'task no longer waiting, call not made');
      }
      return moved.moved;
    },
    giveBackUnused: (call) => {
      telemetry.over(call.callId, 'not_called');
      return untilStored(async () => {
        const writes = options.replication.mark();
        await unused.giveBack(call);
        // The intent may be on a replica already. One that has it and not its end would take the call for one that was made.
        await writes.confirmed();
      });
    },

    async call(call, token) {
      const span = telemetry.calling(call.callId, call.task);
      const outcome = call.sendBy.mayBegin()
        ? await options.defender.start({
            ...contentOf(call.task, profile),
            token,
            tokenRenewed: token === callTokens.unproven(),
            signal: options.abandonCalls,
            mayStillSend: () => call.sendBy.mayStillSend(),
            ...span.context,
          })
        : tooLate;
      telemetry.ended(call, outcome, span);
      await callTokens.after(outcome, token);
      return outcome;
    },
    policyFor: (outcome) => policyFor(outcome, profile.wording),
    async record(call, outcome, policy, onCounted) {
      try {
        const record = () =>
          recordOutcome(call, outcome, policy, { ...options, hold, onCounted, giveBack: unused.giveBack });
        const verdict = await untilStored(record);
        telemetry.over(call.callId);
        return verdict;
      } finally {
        telemetry.over(call.callId, 'not_stored');
      }
    },

    async attemptPending() {
      await pending.attemptAll();
      await unused.repeat();
    },

    async expire(task) {
      await tasks.endWaiting(task.id, { status: 'expired', error: deadlineError, attempts: 0 });
      logger.info(aboutTask(task), 'expired while waiting');
    },
    isNext: options.turns.isNext,
    async block(task) {
      await options.turns.block(task.id);
      logger.info(aboutTask(task), 'waits for its turn on its machine');
    },
    takeRoom: async ({ id }) => options.running?.takeRoom(id, options.permitTimeoutMs) ?? 'taken',
    leaveRoom: async ({ id }) => options.running?.leaveRoom(id),
  };
}

/** What a call says of the machine and what is to be done to it. */
function contentOf({ id, machineId, comment, parameters }: Task, { correlation }: OperationProfile) {
  if (correlation === 'none') return { machineId, comment, parameters };
  const correlationToken = correlationTokenOf(id);
  return { machineId, comment: commentWithToken(comment, correlationToken), parameters, correlationToken };
}

/** Decides about the job when the ledger refuses the call. */
async function followRefusal(
  reply: Exclude<SpendReply, { kind: 'granted' }>,
  task: Task,
  options: TaskStepsOptions,
): Promise<JobFate> {
  const { ledger, metrics, logger, permitTimeoutMs } = options;
  if (reply.kind === 'held' || reply.kind === 'lost' || reply.kind === 'probing') return 'back';
  if (reply.kind === 'full') {
    // Two workers may want one slot when the limiter does not know that the limit was lowered.
    if (reply.by === 'stricter') return 'back';
    metrics.interlockRefusals.inc();
    const { nextSlotAtMs } = reply;
    logger.warn(
      { ...aboutTask(task), nextSlotAtMs },
      'limiter granted a permit that the ledger refused, waiting',
    );
    return 'back';
  }
  const { call, isDoubtful, nowMs } = reply;
  if (!call) return 'done';
  if (call.outcome !== 'in_flight' || isDoubtful) {
    // The task would not be waiting if Redis had not lost its call.
    await restoreCall(call, { ...options, wording: options.profile.wording });
  } else if (call.spentAt + permitTimeoutMs < nowMs) {
    // The ledger holds a call that was never begun: its process ended between spend and begin, and past its deadline
    // it cannot begin any more. Maintenance adds the job again.
    await ledger.giveBackNeverBegun(call.callId);
  }
  return 'done';
}

/** A call that was not made after all. */
export interface UnusedCall {
  readonly callId: string;
  readonly taskId: string;
  /** By `performance.now()`. */
  readonly atMs: number;
}

const rememberedForMs = 60_000;

/** Undoes calls that were not made; and again after a failover, since a lagging replica knows of the call and not of its end. */
function createUnusedCalls({
  tasks,
  ledger,
  unused = [],
}: Pick<TaskStepsOptions, 'tasks' | 'ledger' | 'unused'>) {
  async function undo({ callId, taskId }: Pick<UnusedCall, 'callId' | 'taskId'>): Promise<void> {
    await tasks.undo(taskId, callId);
    await ledger.giveBack(callId);
  }

  return {
    async giveBack({ callId, task }: Call): Promise<void> {
      const call = { callId, taskId: task.id, atMs: performance.now() };
      const recent = unused.filter((one) => one.callId !== callId && one.atMs > call.atMs - rememberedForMs);
      unused.splice(0, unused.length, ...recent, call);
      await undo(call);
    },
    repeat: () => Promise.all(unused.map(undo)),
  };
}

/** With which token a call is made, and what its answer says of the token. */
function createCallTokens(tokens: TokenProvider, ledger: Pick<Ledger, 'wasRefused'>) {
  let unproven: string | undefined;

  return {
    /** A new one for a task that was refused before: then the token is not at fault if it is refused again. */
    async tokenFor(taskId: string): Promise<TokenResult> {
      const [atHand, wasRefused] = await Promise.all([tokens.get(), ledger.wasRefused(taskId)]);
      if (atHand.kind === 'unavailable' || !wasRefused || atHand.token === unproven) return atHand;
      const renewed = await tokens.renew();
      if (renewed.kind === 'token' && renewed.token !== atHand.token) unproven = renewed.token;
      return renewed;
    },
    /** A token that was obtained because of a refusal and that Defender has not accepted yet. */
    unproven: () => unproven,
    /** A token that was rejected is renewed for the next call; so is one that may lack what was granted since. */
    async after(outcome: CallOutcome, token: string): Promise<void> {
      const { kind } = outcome;
      if (kind === 'token_rejected' || (kind === 'not_allowed' && outcome.reason === 'token_rejected')) {
        const renewed = await tokens.renewAfterRejection(token);
        unproven = renewed.kind === 'token' ? renewed.token : undefined;
      } else if (kind === 'not_allowed') {
        await tokens.renew();
      } else if (kind !== 'not_sent' && token === unproven) {
        unproven = undefined;
      }
    },
  };
}
