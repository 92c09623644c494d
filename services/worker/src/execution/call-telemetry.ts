import type { SpendReply } from '@diq/quota/ledger/replies.ts';
import type { Task } from '@diq/queue/tasks/task-store.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { Span, Tracing } from '@diq/runtime/tracing/tracing.ts';
import { aboutTask, type MoveLog } from '../observability/transition-log.ts';
import type { CallOutcome } from '../defender/defender-client.ts';
import type { WorkerMetrics } from '../observability/metrics.ts';
import type { Call } from './execute-task.ts';

/** Records calls in metrics and log. */
export function createCallObserver({
  metrics,
  logger,
  moveLog,
}: {
  metrics: WorkerMetrics;
  logger: Logger;
  moveLog?: MoveLog;
}) {
  /** By call: measured when its permit was spent. */
  const underWay = new Map<string, { lagSeconds: number; waitSeconds: number }>();

  return {
    granted(
      callId: string,
      { createdAtMs }: Task,
      { spentAtMs, freeSinceMs }: Extract<SpendReply, { kind: 'granted' }>,
    ) {
      const secondsSince = (timeMs: number) => Math.max(0, spentAtMs - timeMs) / 1_000;
      underWay.set(callId, {
        lagSeconds: secondsSince(Math.max(freeSinceMs, createdAtMs)),
        waitSeconds: secondsSince(createdAtMs),
      });
    },
    ended({ callId, task }: Call, outcome: CallOutcome) {
      const spent = underWay.get(callId);
      underWay.delete(callId);
      moveLog?.callEnded(callId, outcome.kind);
      metrics.calls.inc({ outcome: outcome.kind });
      metrics.callDuration.observe(outcome.durationMs / 1_000);
      // A task whose call never left returns to its place: its wait is observed when a call leaves.
      if (spent && outcome.kind !== 'not_sent') {
        metrics.dispatchLag.observe(spent.lagSeconds);
        metrics.queueWait.observe(spent.waitSeconds);
      }
      logger.info({ callId, ...aboutTask(task), outcome }, 'call ended');
    },
    /** The call was not made; nothing is recorded. */
    dropped: (callId: string) => void underWay.delete(callId),
  };
}

/**
 * The spans of a task on its way through the worker; by call, since a task may need several. A task belongs to the trace of
 * its first request; the traces of requests that joined it are linked. The wait in the queue is recorded when it ends.
 */
export function createCallTraces(tracing: Tracing) {
  const underWay = new Map<string, Span>();

  return {
    /** The permit is spent: the wait is over and the task begins. */
    granted(callId: string, task: Task) {
      const attributes = attributesOf(callId, task);
      const parent = task.trace;
      const about = { parent, links: task.joinedTraces, attributes };
      const startMs = task.createdAtMs;
      tracing.start('wait in queue', { ...about, kind: 'internal', startMs }).end();
      underWay.set(callId, tracing.start('task', { ...about, kind: 'consumer' }));
    },
    /** The call is made; the span's context belongs into its headers. */
    calling(callId: string, task: Task): Span {
      const parent = underWay.get(callId)?.context ?? task.trace;
      const attributes = { ...attributesOf(callId, task), 'http.request.method': 'POST' };
      return tracing.start('call Defender', { kind: 'client', parent, attributes });
    },
    /** The outcome is stored; with an error: the call was not made, or its outcome not stored. */
    over(callId: string, error?: string) {
      underWay.get(callId)?.end({ error });
      underWay.delete(callId);
    },
  };
}

/** Ends the span of a call with its outcome. */
export function endWithOutcome(span: Span, outcome: CallOutcome): void {
  span.set({
    'diq.call.outcome': outcome.kind,
    ...('status' in outcome ? { 'http.response.status_code': outcome.status } : {}),
    ...('investigationId' in outcome ? { 'diq.investigation.id': outcome.investigationId } : {}),
  });
  span.end({ error: outcome.kind === 'started' ? undefined : outcome.kind });
}

function attributesOf(callId: string, { id, machineId }: Task) {
  return { 'diq.call.id': callId, 'diq.task.id': id, 'diq.machine.id': machineId };
}
