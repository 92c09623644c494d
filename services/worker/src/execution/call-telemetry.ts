import type { SpendReply } from '@diq/quota/ledger/replies.ts';
import type { Task } from '@diq/queue/tasks/task-store.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { aboutTask } from '../observability/about-task.ts';
import type { CallOutcome } from '../defender/defender-client.ts';
import type { WorkerMetrics } from '../observability/metrics.ts';
import type { MoveLog } from '../observability/transition-log.ts';
import type { Call } from './execute-task.ts';

/** What metrics and log are told of calls. */
export interface CallObserver {
  granted(callId: string, task: Task, reply: Extract<SpendReply, { kind: 'granted' }>): void;
  ended(call: Call, outcome: CallOutcome): void;
  /** The call was not made; nothing is told of it. */
  dropped(callId: string): void;
}

/** What was known of a call when its permit was spent. */
interface AtSpending {
  lagSeconds: number;
  waitSeconds: number;
}

export function createCallObserver({
  metrics,
  logger,
  moveLog,
}: {
  metrics: WorkerMetrics;
  logger: Logger;
  moveLog?: MoveLog;
}): CallObserver {
  const underWay = new Map<string, AtSpending>();

  return {
    granted(callId, { createdAtMs }, { spentAtMs, freeSinceMs }) {
      const secondsSince = (timeMs: number) => Math.max(0, spentAtMs - timeMs) / 1_000;
      underWay.set(callId, {
        lagSeconds: secondsSince(Math.max(freeSinceMs, createdAtMs)),
        waitSeconds: secondsSince(createdAtMs),
      });
    },
    ended({ callId, task }, outcome) {
      const spent = underWay.get(callId);
      underWay.delete(callId);
      moveLog?.callEnded(callId, outcome.kind);
      metrics.calls.inc({ outcome: outcome.kind });
      metrics.callDuration.observe(outcome.durationMs / 1_000);
      // One that never left goes back to its place and waits on: it is observed when it leaves.
      if (spent && outcome.kind !== 'not_sent') {
        metrics.dispatchLag.observe(spent.lagSeconds);
        metrics.queueWait.observe(spent.waitSeconds);
      }
      logger.info({ callId, ...aboutTask(task), outcome }, 'call ended');
    },
    dropped: (callId) => void underWay.delete(callId),
  };
}
