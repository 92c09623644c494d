import type { Parameters } from '@diq/contracts/operations/profile.ts';
import type { UnresolvedOutcome } from '@diq/queue/tasks/task-store.ts';

/** A call of which it is not known what it came to. */
export interface UnresolvedCall {
  readonly cause: UnresolvedOutcome['cause'];
  /** On Redis' clock; it cannot have reached Defender earlier. */
  readonly sentAtMs: number;
  /** It cannot have reached Defender later. */
  readonly arrivedByMs: number;
  readonly machineId: string;
  readonly parameters: Parameters;
  /** What the comment of the call ended with, where Defender gives it back. */
  readonly correlationToken: string;
  /** Our application, which Defender may name as the one that started the investigation. */
  readonly clientId: string;
  /** Ids of what was reported to other requests before this call was made: it started none of it. */
  readonly reported: ReadonlySet<string>;
}

/** What Defender shows of a call: the id of its result, or the alert that goes with it while Defender has not linked the two. */
export interface Trace {
  readonly id: string | undefined;
  readonly alertId: string | undefined;
}

/** `own`: this call made it. `covering`: it runs on the machine, and is not provably this call's. */
export type Finding = ({ readonly kind: 'own' | 'covering' } & Trace) | { readonly kind: 'nothing' };

/** How far Defender's clock and ours may differ, its times being cut to whole seconds included. */
export const clockSlackMs = 5_000;

/** What waits for an approval, or for a machine that is switched off, stays open for 7 days at most. */
export const longestOpenMs = 8 * 24 * 3_600_000;
