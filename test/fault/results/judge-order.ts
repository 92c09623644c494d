import type { ActionJudgement, JudgedAction } from '../simulator-log.ts';
import type { AskedRequest, ShownRequest } from './asked.ts';
import { intentOf, type ResultViolation } from './judge-results.ts';

export interface OrderEvidence {
  readonly asked: readonly AskedRequest[];
  readonly shown: ReadonlyMap<string, ShownRequest>;
  readonly judgement: ActionJudgement;
}

export interface OrderJudgement {
  readonly violations: readonly ResultViolation[];
  /** Pairs of actions on a machine, one behind the other, that were judged. */
  readonly pairs: number;
  /** Calls behind one whose outcome could not be found out: that one may have run still. */
  readonly behindUnknown: number;
}

/**
 * Contrary actions on a machine are made in the order in which their requests were accepted, each after the end of the one before.
 * Accepted before: its 202 was there before the other was posted; of two that were under way together either may be the first.
 */
export function judgeOrder({ asked, shown, judgement }: OrderEvidence): OrderJudgement {
  const byComment = new Map(asked.map((one) => [one.comment, one]));
  const violations: ResultViolation[] = [];
  let [pairs, behindUnknown] = [0, 0];
  /** For whom an action was made, or who was attached to it and stands before that one. */
  const firstOf = (first: JudgedAction, second: AskedRequest): AskedRequest | undefined =>
    byComment.get(intentOf(first.comment)) ??
    asked.find(
      ({ id, acknowledgedAtMs }) =>
        shown.get(id)?.result?.id === first.id && acknowledgedAtMs < second.postedAtMs,
    );
  for (const { machineId, family, first, second } of judgement.overtakings) {
    const later = byComment.get(intentOf(second.comment));
    // What others do on the machine waits for nothing, and nothing waits for them.
    const earlier = later && firstOf(first, later);
    if (!earlier) continue;
    if (shown.get(earlier.id)?.status === 'unknown') {
      behindUnknown += 1;
      continue;
    }
    const text = `${machineId}, ${family}: "${second.comment}" at ${second.acceptedAt}, before the end of "${first.comment}" at ${first.endedAt}`;
    violations.push({ rule: 'overtaken', text });
  }
  for (const { machineId, family, actions } of judgement.sequences) {
    const own = actions.flatMap(({ comment }) => byComment.get(intentOf(comment)) ?? []);
    for (const [i, earlier] of own.entries()) {
      if (i > 0) pairs += 1;
      const overtaken = own.slice(i + 1).find((later) => later.acknowledgedAtMs < earlier.postedAtMs);
      if (overtaken === undefined) continue;
      const text = `${machineId}, ${family}: "${earlier.comment}" was called before "${overtaken.comment}", which was accepted before it`;
      violations.push({ rule: 'order', text });
    }
  }
  return { violations, pairs, behindUnknown };
}
