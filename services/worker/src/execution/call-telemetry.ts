import type { OperationResult } from '@diq/contracts/operations/profile.ts';
import type { Task } from '@diq/queue/tasks/task-store.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { noTracing, type Span, type Tracing } from '@diq/runtime/tracing/tracing.ts';
import { aboutTask, type MoveLog } from '../observability/transition-log.ts';
import type { CallOutcome } from '../defender/defender-client.ts';
import type { QueueMetrics } from '../observability/metrics.ts';
import type { Call } from './execute-task.ts';

/**
 * Records calls in metrics, log and traces. A task belongs to the trace of its first request; the traces of requests that
 * joined it are linked. The spans stand by call, since a task may need several; the wait in the queue is recorded when it
 * ends.
 */
export function createCallTelemetry({
  metrics,
  logger,
  moveLog,
  tracing = noTracing,
}: {
  metrics: QueueMetrics;
  logger: Logger;
  moveLog?: MoveLog;
  tracing?: Tracing;
}) {
  /** By call: measured when its permit was spent. */
  const underWay = new Map<string, { span: Span; lagSeconds: number; waitSeconds: number }>();

  return {
    /** The permit is spent: the wait is over and the task begins. */
    granted(
      callId: string,
      task: Task,
      { spentAtMs, freeSinceMs }: { spentAtMs: number; freeSinceMs: number },
    ) {
      const { createdAtMs } = task;
      const about = { parent: task.trace, links: task.joinedTraces, attributes: attributesOf(callId, task) };
      tracing.start('wait in queue', { ...about, kind: 'internal', startMs: createdAtMs }).end();
      const secondsSince = (timeMs: number) => Math.max(0, spentAtMs - timeMs) / 1_000;
      underWay.set(callId, {
        span: tracing.start('task', { ...about, kind: 'consumer' }),
        lagSeconds: secondsSince(Math.max(freeSinceMs, createdAtMs)),
        waitSeconds: secondsSince(createdAtMs),
      });
    },
    /** The call is made; the span's context belongs into its headers. */
    calling(callId: string, task: Task): Span {
      const parent = underWay.get(callId)?.span.context ?? task.trace;
      const attributes = { ...attributesOf(callId, task), 'http.request.method': 'POST' };
      return tracing.start('call Defender', { kind: 'client', parent, attributes });
    },
    /** @param span of the call, which ends with its outcome */
    ended({ callId, task }: Pick<Call, 'callId' | 'task'>, outcome: CallOutcome, span: Span) {
      span.set({
        'diq.call.outcome': outcome.kind,
        ...('status' in outcome ? { 'http.response.status_code': outcome.status } : {}),
        ...('result' in outcome ? resultAttributes(outcome.result) : {}),
      });
      span.end({ error: outcome.kind === 'started' ? undefined : outcome.kind });
      moveLog?.callEnded(callId, outcome.kind);
      metrics.calls.inc({ outcome: outcome.kind });
      metrics.callDuration.observe(outcome.durationMs / 1_000);
      const spent = underWay.get(callId);
      // A task whose call never left returns to its place: its wait is observed when a call leaves.
      if (spent && outcome.kind !== 'not_sent') {
        metrics.dispatchLag.observe(spent.lagSeconds);
        metrics.queueWait.observe(spent.waitSeconds);
      }
      logger.info({ callId, ...aboutTask(task), outcome }, 'call ended');
    },
    /** The outcome is stored; with an error: the call was not made, or its outcome not stored. */
    over(callId: string, error?: string) {
      underWay.get(callId)?.span.end({ error });
      underWay.delete(callId);
    },
  };
}

function resultAttributes({ kind, id }: OperationResult) {
  return kind === 'investigation' ? { 'diq.investigation.id': id } : { 'diq.machine_action.id': id };
}

function attributesOf(callId: string, { id, machineId }: Task) {
  return { 'diq.call.id': callId, 'diq.task.id': id, 'diq.machine.id': machineId };
}
