import { isNamed } from '@diq/contracts/machine-name.ts';
import type { RoomTaken } from '@diq/queue/tasks/running-tasks.ts';
import type { Task } from '@diq/queue/tasks/task-store.ts';
import type { Verdict } from '@diq/quota/ledger/ledger.ts';
import type { SpendReply } from '@diq/quota/ledger/replies.ts';
import type { ReplicatedWrites } from '@diq/redis/replication.ts';
import type { CallOutcome } from '../defender/defender-client.ts';
import type { TokenResult } from '../defender/auth/token-provider.ts';
import { requestsBy, type OutcomePolicy } from './outcome-policy.ts';

/** What happens to the job: completed, released to its place in the order, or moved behind all others for now. */
export type JobFate = 'done' | 'back' | 'aside';

/** One call about to be made. */
export interface Call {
  callId: string;
  task: Task;
  /** Runs from just before the permit is spent: a process can be frozen at any point after that. */
  sendBy: SendDeadline;
}

export type SendDeadline = ReturnType<typeof startSendDeadline>;

/** The steps of a task, in order; `task-steps.ts` implements them on the real ledger, store and Defender. */
export interface TaskSteps {
  newCallId(): string;
  startSendDeadline(): SendDeadline;
  getToken(task: Task): Promise<TokenResult>;
  /** Puts the queue on hold, because there is no token. */
  holdWithoutToken(token: Extract<TokenResult, { kind: 'unavailable' }>): Promise<void>;
  /** Before anything of a call's intent is written: the permit that is spent and the task that is begun. */
  startIntent(): Promise<ReplicatedWrites>;
  spend(callId: string, task: Task): Promise<SpendReply>;
  /** The ledger refused the call although the limiter had granted a permit. */
  onRefusal(reply: Exclude<SpendReply, { kind: 'granted' }>, task: Task): Promise<JobFate>;
  /** False when the task is no longer waiting: cancelled, or begun by another worker. */
  begin(call: Call): Promise<boolean>;
  /** Undoes intent and permit of a call that was not made, also when it is unknown whether they were recorded. */
  giveBackUnused(call: Call): Promise<void>;
  call(call: Call, token: string): Promise<CallOutcome>;
  /** What follows from an outcome. */
  policyFor(outcome: CallOutcome): OutcomePolicy;
  /**
   * Stores the outcome in ledger, holds and requests. Retries for as long as the process lives.
   *
   * @param onCounted called when the ledger has it, with the time from which its windows run
   */
  record(
    call: Call,
    outcome: CallOutcome,
    policy: OutcomePolicy,
    onCounted?: (fromMs: number) => void,
  ): Promise<Verdict>;
  expire(task: Task): Promise<void>;
  /** Whether it is the task's turn on its machine. */
  isNext(task: Task): Promise<boolean>;
  /** Takes the task from the queue until it is. */
  block(task: Task): Promise<void>;
  /** Keeps room for it among what Defender runs at once. `offline`: there is none for its machine, and it was taken from the queue. */
  takeRoom(task: Task): Promise<RoomTaken>;
  /** It counts as what became of it. */
  leaveRoom(task: Task): Promise<void>;
}

/** The permit in hand. */
export interface PermitInHand {
  /** The ledger has granted a call with it. */
  spent(): void;
  /** The ledger has recorded the end of the call. */
  counted(fromMs: number): void;
  keepForOneWindow(): void;
  release(): void;
}

/**
 * Executes one task, from the permit in hand to the stored outcome: token → spend → begin → call → record. If it ends
 * before the call, quota and task are as they were.
 *
 * The states of the task move here: `expire` moves `waiting` to `settled` when its deadline was reached. `begin` moves
 * `waiting` to `in_flight`, the last gate before the call. `giveBackUnused` moves `in_flight` back to `waiting` when the
 * call was not made. `record` moves `in_flight` on as the outcome policy says: to `settled` (a final outcome), to
 * `reconciling` (an unresolved one) or back to `waiting` (call again later). All other moves are made elsewhere: the
 * reconciler moves `reconciling` to `settled` or back to `waiting`, maintenance moves an abandoned `in_flight` as `record`
 * would have and expires deadlines, and the intake settles what is cancelled while `waiting`.
 */
export async function executeTask(
  task: Task,
  permit: PermitInHand,
  steps: TaskSteps,
  nowMs: number,
): Promise<JobFate> {
  let spent = false;
  let hasRoom = false;
  try {
    // In flight, reconciling, settled, or its machine is not known yet: a second job for the task has nothing to do.
    if (task.state !== 'waiting' || isNamed(task.machineId)) return 'done';
    if (task.notAfterMs !== undefined && task.notAfterMs <= nowMs) {
      await steps.expire(task);
      return 'done';
    }
    if (!(await steps.isNext(task))) {
      await steps.block(task);
      return 'done';
    }
    const room = await steps.takeRoom(task);
    hasRoom = room === 'taken';
    if (!hasRoom) return room === 'full' ? 'back' : 'done';
    const token = await steps.getToken(task);
    if (token.kind === 'unavailable') {
      await steps.holdWithoutToken(token);
      return 'back';
    }
    const intent = await steps.startIntent();
    const call = { callId: steps.newCallId(), task, sendBy: steps.startSendDeadline() };
    const reply = await spendOrUndo(call, steps);
    if (reply.kind !== 'granted') return await steps.onRefusal(reply, task);
    permit.spent();
    if (!(await isBegun(call, intent, steps))) return 'done';

    // From here on the call may have left, even if no outcome comes back.
    spent = true;
    const outcome = await steps.call(call, token.token);
    const policy = steps.policyFor(outcome);
    spent = policy.permit === 'spent';
    const verdict = await steps.record(call, outcome, policy, (fromMs) => permit.counted(fromMs));
    if (requestsBy(verdict, policy).kind !== 'give_back') return 'done';
    return verdict === 'aside' ? 'aside' : 'back';
  } finally {
    if (spent) permit.keepForOneWindow();
    else permit.release();
    // Where Redis is away, the room is given up by time.
    if (hasRoom) await steps.leaveRoom(task).catch(() => undefined);
  }
}

/** After a lost reply it is unknown whether the permit was spent; not undone, it would block a slot for a window. */
async function spendOrUndo(call: Call, steps: TaskSteps): Promise<SpendReply> {
  try {
    return await steps.spend(call.callId, call.task);
  } catch (error) {
    await steps.giveBackUnused(call).catch(() => undefined);
    throw error;
  }
}

/** No call was made yet: when `begin` refuses or fails, or the intent is on too few servers, permit and intent are undone. */
async function isBegun(call: Call, intent: ReplicatedWrites, steps: TaskSteps): Promise<boolean> {
  let begun = false;
  try {
    if (!(await steps.begin(call))) return false;
    // A failover would forget an intent that no replica has, and the call be made again.
    await intent.confirmed();
    begun = true;
  } finally {
    if (!begun) await steps.giveBackUnused(call);
  }
  return begun;
}

/**
 * Keeps a process that was frozen after it took a permit from using it late. Two clocks, because either can miss time:
 * the monotonic one may stand still while the machine sleeps, the wall clock can be set back.
 */
export function startSendDeadline({
  beginWithinMs,
  permitTimeoutMs,
}: {
  /** From the spending of a permit until its call must have begun. */
  beginWithinMs: number;
  /** From the spending of a permit until its call is over, as the ledger counts it. */
  permitTimeoutMs: number;
}) {
  const monotonicMs = performance.now();
  const wallMs = Date.now();
  const isWithin = (limitMs: number) =>
    performance.now() - monotonicMs < limitMs && Date.now() - wallMs < limitMs;
  return {
    /** After that, connecting and answering lack the time that they need. */
    mayBegin: () => isWithin(beginWithinMs),
    /** After that, not a single byte: the ledger counts the call as over. */
    mayStillSend: () => isWithin(permitTimeoutMs),
  };
}
