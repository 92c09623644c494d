import type { ActionJudgement } from '../simulator-log.ts';
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
  const isUnknown = (comment: string) => {
    const request = byComment.get(intentOf(comment));
    return request !== undefined && shown.get(request.id)?.status === 'unknown';
  };
  for (const { machineId, family, first, second } of judgement.overtakings) {
    // What others do on the machine waits for nothing.
    if (!byComment.has(intentOf(second.comment))) continue;
    // Equal ones can be asked for by others, and answered with what runs.
    if (!byComment.has(intentOf(first.comment))) continue;
    if (isUnknown(first.comment)) {
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
