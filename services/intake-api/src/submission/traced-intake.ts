import type { RequestIntake } from '@diq/queue/admission/accept-requests.ts';
import type { TraceContext } from '@diq/contracts/trace-context.ts';
import type { SpanAttributes, Tracing } from '@diq/runtime/tracing/tracing.ts';

/** The same intake, with a span for each acceptance. Its context is what the requests keep. */
export function withTraces(intake: RequestIntake, tracing: Tracing): RequestIntake {
  async function traced<T>(
    trace: TraceContext | undefined,
    attributes: SpanAttributes,
    accept: (trace: TraceContext | undefined) => Promise<T>,
  ): Promise<T> {
    const span = tracing.start('accept', { kind: 'internal', parent: trace, attributes });
    try {
      const accepted = await accept(span.context);
      span.end();
      return accepted;
    } catch (error) {
      span.end({ error: error instanceof Error ? error.name : 'unknown' });
      throw error;
    }
  }

  return {
    acceptOne: (item, nowMs, ids, caller, trace) =>
      traced(trace, { 'diq.machine.id': item.machineId, 'diq.request.id': ids?.request(0) }, (own) =>
        intake.acceptOne(item, nowMs, ids, caller, own),
      ),
    acceptBatch: (entries, nowMs, ids, caller, callbackUrl, trace) =>
      traced(trace, { 'diq.batch.id': ids?.batch, 'diq.batch.items': entries.length }, (own) =>
        intake.acceptBatch(entries, nowMs, ids, caller, callbackUrl, own),
      ),
  };
}
