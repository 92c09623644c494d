import {
  createTraceState,
  diag,
  DiagLogLevel,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type SpanContext,
} from '@opentelemetry/api';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { clip } from '@diq/contracts/text.ts';
import { traceIdOf, type TraceContext } from '@diq/contracts/trace-context.ts';
import type { Logger } from '../logging/logger.ts';
import type { Span, SpanOptions, Tracing } from './tracing.ts';
import { within } from '../async/with-timeout.ts';

type OtlpProtocol = 'http/protobuf' | 'http/json';

const flushWithinMs = 1_000;
/** A collector that is away is logged this often. */
const complainEveryMs = 60_000;

const kinds = {
  server: SpanKind.SERVER,
  internal: SpanKind.INTERNAL,
  consumer: SpanKind.CONSUMER,
  client: SpanKind.CLIENT,
};

/**
 * Spans sent to a collector. Never imported but by `openTracing`, so that a service without traces loads none of this.
 * Endpoint, headers, timeouts, sampling and batching are read from the environment by OpenTelemetry itself.
 */
export async function createOtlpTracing(
  service: string,
  protocol: OtlpProtocol,
  logger: Pick<Logger, 'warn' | 'info'>,
): Promise<Tracing> {
  diag.setLogger(complaints(logger), DiagLogLevel.WARN);
  const named = resourceFromAttributes({ 'service.name': `diq-${service}` });
  const provider = new BasicTracerProvider({
    resource: defaultResource()
      .merge(named)
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(await openExporter(protocol))],
  });
  const tracer = provider.getTracer('defender-investigation-queue');
  logger.info({ protocol }, 'traces are sent');

  return {
    start(name, { kind, parent, links = [], startMs, attributes = {} }: SpanOptions): Span {
      const context = parent ? trace.setSpanContext(ROOT_CONTEXT, spanContextOf(parent)) : ROOT_CONTEXT;
      const options = {
        kind: kinds[kind],
        attributes,
        links: links.map((link) => ({ context: spanContextOf(link) })),
        ...(startMs === undefined ? {} : { startTime: startMs }),
      };
      const span = tracer.startSpan(name, options, context);
      return {
        context: traceContextOf(span.spanContext()),
        set: (more) => void span.setAttributes(more),
        end({ error, name: better, atMs } = {}) {
          if (better !== undefined) span.updateName(better);
          if (error !== undefined) {
            span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', error);
          }
          span.end(atMs);
        },
      };
    },
    async close() {
      await within(provider.shutdown(), flushWithinMs).catch((error: unknown) =>
        logger.warn({ err: error }, 'the last traces were not sent'),
      );
    },
  };
}

async function openExporter(protocol: OtlpProtocol): Promise<SpanExporter> {
  const { OTLPTraceExporter } =
    protocol === 'http/json'
      ? await import('@opentelemetry/exporter-trace-otlp-http')
      : await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter();
}

function spanContextOf(context: TraceContext): SpanContext {
  return {
    traceId: traceIdOf(context),
    spanId: context.traceparent.slice(36, 52),
    traceFlags: Number.parseInt(context.traceparent.slice(53), 16),
    isRemote: true,
    ...(context.tracestate === undefined ? {} : { traceState: createTraceState(context.tracestate) }),
  };
}

function traceContextOf({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceContext {
  const tracestate = traceState?.serialize() ?? '';
  return {
    traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
    ...(tracestate === '' ? {} : { tracestate }),
  };
}

/** What OpenTelemetry says of its own troubles, mostly that the collector cannot be reached. */
function complaints(logger: Pick<Logger, 'warn'>) {
  let lastMs = -Infinity;
  const complain = (message: string) => {
    const nowMs = performance.now();
    if (nowMs - lastMs < complainEveryMs) return;
    lastMs = nowMs;
    logger.warn({ said: clip(message, 500) }, 'traces cannot be sent');
  };
  return { error: complain, warn: complain, info() {}, debug() {}, verbose() {} };
}
