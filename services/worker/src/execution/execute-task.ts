import type { Task } from '@diq/queue/tasks/task-store.ts';
import type { Verdict } from '@diq/quota/ledger/ledger.ts';
import type { SpendReply } from '@diq/quota/ledger/replies.ts';
import type { CallOutcome } from '../defender/defender-client.ts';
import type { TokenResult } from '../defender/auth/token-provider.ts';
import { policyFor, requestsBy } from './outcome-policy.ts';
import type { OutcomePolicy } from './outcome-policy.ts';

/** What becomes of the job: it is used up, or goes back to its place in the order, or behind all others for now. */
export type JobFate = 'done' | 'back' | 'aside';

/** One call about to be made. */
export interface Call {
  callId: string;
  task: Task;
  /** Running since just before the permit was asked for: a process can be frozen at any point after. */
  sendBy: SendDeadline;
}

/** How long ago the permit was asked for. */
export interface SendDeadline {
  /** Too late to begin: connecting and answering need the time that is left. */
  mayBegin(): boolean;
  /** Too late for a single byte: the ledger counts the call as over. */
  mayStillSend(): boolean;
}

export interface SendDeadlineOptions {
  /** From the spending of a permit until its call must have begun. */
  beginWithinMs: number;
  /** From the spending of a permit until its call is over, as the ledger counts it. */
  permitTimeoutMs: number;
}

/** The steps of a task, in the order in which it meets them. What they do it with is not known here. */
export interface TaskSteps {
  newCallId(): string;
  startSendDeadline(): SendDeadline;
  getToken(task: Task): Promise<TokenResult>;
  /** Nobody calls for a while, because there is no token to call with. */
  holdWithoutToken(token: Extract<TokenResult, { kind: 'unavailable' }>): Promise<void>;
  spend(callId: string, task: Task): Promise<SpendReply>;
  /** The ledger said no although a permit was in hand. */
  onRefusal(reply: Exclude<SpendReply, { kind: 'granted' }>, task: Task): Promise<JobFate>;
  /** False when the task is no longer there to be called: cancelled, or in other hands. */
  begin(call: Call): Promise<boolean>;
  /** Undoes intent and permit of a call that was not made; also where it is not known whether they were recorded. */
  giveBackUnused(call: Call): Promise<void>;
  call(call: Call, token: string): Promise<CallOutcome>;
  /** Stores what came of it: ledger, holds, requests. Does not give up while the process lives. */
  record(call: Call, outcome: CallOutcome, policy: OutcomePolicy): Promise<Verdict>;
  expire(task: Task): Promise<void>;
}

/** The permit in hand. */
export interface PermitInHand {
  /** The ledger has granted a call with it. */
  spent(): void;
  keepForOneWindow(): void;
  release(): void;
}

/**
 * One task, from the permit in hand to the stored outcome: token → intent → last gate → call → record.
 * Whatever ends it before the call leaves quota and task as they were.
 */
export async function executeTask(
  task: Task,
  permit: PermitInHand,
  steps: TaskSteps,
  nowMs: number,
): Promise<JobFate> {
  let spent = false;
  try {
    // In another call's hands, or settled already: a second job for it has nothing to do.
    if (task.state !== 'waiting') return 'done';
    if (task.notAfterMs !== undefined && task.notAfterMs <= nowMs) {
      await steps.expire(task);
      return 'done';
    }
    const token = await steps.getToken(task);
    if (token.kind === 'unavailable') {
      await steps.holdWithoutToken(token);
      return 'back';
    }
    const call = { callId: steps.newCallId(), task, sendBy: steps.startSendDeadline() };
    const reply = await spendOrUndo(call, steps);
    if (reply.kind !== 'granted') return await steps.onRefusal(reply, task);
    permit.spent();
    if (!(await isBegun(call, steps))) return 'done';

    // From here on it may have left, even if no outcome comes back.
    spent = true;
    const outcome = await steps.call(call, token.token);
    const policy = policyFor(outcome);
    spent = policy.permit === 'spent';
    const verdict = await steps.record(call, outcome, policy);
    if (requestsBy(verdict, policy).kind !== 'give-back') return 'done';
    return verdict === 'aside' ? 'aside' : 'back';
  } finally {
    if (spent) permit.keepForOneWindow();
    else permit.release();
  }
}

/** A reply that is lost leaves open whether the permit was spent; kept, it would be out for a window and never used. */
async function spendOrUndo(call: Call, steps: TaskSteps): Promise<SpendReply> {
  try {
    return await steps.spend(call.callId, call.task);
  } catch (error) {
    await steps.giveBackUnused(call).catch(() => undefined);
    throw error;
  }
}

/** Nothing has left yet: when the last gate stays shut, or cannot be asked, everything is undone. */
async function isBegun(call: Call, steps: TaskSteps): Promise<boolean> {
  try {
    if (await steps.begin(call)) return true;
  } catch (error) {
    await steps.giveBackUnused(call);
    throw error;
  }
  await steps.giveBackUnused(call);
  return false;
}

/**
 * Keeps a process that was frozen after it took a permit from using it late. Two clocks, because either can miss time:
 * the monotonic one may stand still while the machine sleeps, the wall clock can be set back.
 */
export function startSendDeadline({ beginWithinMs, permitTimeoutMs }: SendDeadlineOptions): SendDeadline {
  const monotonicMs = performance.now();
  const wallMs = Date.now();
  const isWithin = (limitMs: number) =>
    performance.now() - monotonicMs < limitMs && Date.now() - wallMs < limitMs;
  return { mayBegin: () => isWithin(beginWithinMs), mayStillSend: () => isWithin(permitTimeoutMs) };
}
