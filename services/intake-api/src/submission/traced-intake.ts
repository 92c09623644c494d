import type { RequestIntake, Submission } from '@diq/queue/admission/accept-requests.ts';
import type { SpanAttributes, Tracing } from '@diq/runtime/tracing/tracing.ts';

/** The same intake, with a span for each acceptance. Its context is what the requests keep. */
export function withTraces(intake: RequestIntake, tracing: Tracing): RequestIntake {
  async function traced<S extends Submission, T>(
    submission: S,
    attributes: SpanAttributes,
    accept: (own: S) => Promise<T>,
  ): Promise<T> {
    const span = tracing.start('accept', { kind: 'internal', parent: submission.trace, attributes });
    try {
      const accepted = await accept({ ...submission, trace: span.context });
      span.end();
      return accepted;
    } catch (error) {
      span.end({ error: error instanceof Error ? error.name : 'unknown' });
      throw error;
    }
  }

  return {
    acceptOne: (item, submission) =>
      traced(
        submission,
        { 'diq.machine.id': item.machineId, 'diq.request.id': submission.ids?.request(0) },
        (own) => intake.acceptOne(item, own),
      ),
    acceptBatch: (entries, submission) =>
      traced(
        submission,
        { 'diq.batch.id': submission.ids?.batch, 'diq.batch.items': entries.length },
        (own) => intake.acceptBatch(entries, own),
      ),
  };
}
