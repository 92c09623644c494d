import { nextStepOf, type TraceContext } from '@diq/contracts/trace-context.ts';
import type { Logger } from '../logging/logger.ts';
import type { Env } from '../settings/read-settings.ts';

/** Ids and outcomes; never a secret, and nothing that a caller wrote. Numbers and texts, so that they can be searched. */
export type SpanAttributes = Readonly<Record<string, string | number | undefined>>;

/** Where a span stands. */
export interface SpanOptions {
  readonly kind: 'server' | 'internal' | 'consumer' | 'client';
  /** Without one, a new trace begins. */
  readonly parent?: TraceContext | undefined;
  /** Other traces that it serves as well. */
  readonly links?: readonly TraceContext[] | undefined;
  /** When it began, ms since 1970. Default: now. */
  readonly startMs?: number;
  readonly attributes?: SpanAttributes;
}

/** One step of a trace, from `start` until it is ended. */
export interface Span {
  /** What is passed on to the next step; `undefined` outside of every trace. */
  readonly context: TraceContext | undefined;
  set(attributes: SpanAttributes): void;
  /**
   * `error`: what kind of failure it was, a word out of a closed list. `name`: a better one than it was started with.
   * `atMs`: when, ms since 1970; default now.
   */
  end(result?: { error?: string | undefined; name?: string; atMs?: number }): void;
}

/** Makes spans, or nothing. No method throws. */
export interface Tracing {
  start(name: string, options: SpanOptions): Span;
  /** Sends what is left, but takes no longer than a second. */
  close(): Promise<void>;
}

/**
 * Records nothing. What callers sent is passed on all the same: unchanged, since no step of ours stands between, and
 * with a new span id in a call that goes out.
 */
export const noTracing: Tracing = {
  start: (_name, { kind, parent }) => ({
    context: parent && kind === 'client' ? nextStepOf(parent) : parent,
    set() {},
    end() {},
  }),
  close: () => Promise.resolve(),
};

/** The queue that a span is about. */
interface NamedQueue {
  readonly tenant: string;
  readonly operation: string;
}

export function queueAttributes({ tenant, operation }: NamedQueue): SpanAttributes {
  return { 'diq.tenant': tenant, 'diq.operation': operation };
}

/** Traces of one queue: each of its spans names it. */
export function tracingOf(queue: NamedQueue, tracing: Tracing): Tracing {
  const own = queueAttributes(queue);
  return {
    start: (name, options) =>
      tracing.start(name, { ...options, attributes: { ...own, ...options.attributes } }),
    close: () => tracing.close(),
  };
}

const endpoints = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'];
const protocols = ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL'];

/**
 * Traces as the standard variables of OpenTelemetry ask for them; `noTracing`, and nothing of OpenTelemetry loaded, when
 * they ask for none. Settings that cannot be followed are logged and cost the traces, never the service.
 */
export async function openTracing(env: Env, service: string, logger: Logger): Promise<Tracing> {
  const first = (names: readonly string[]) =>
    names.map((name) => env[name] ?? '').find((text) => text !== '');
  const exporters = first(['OTEL_TRACES_EXPORTER']);
  const isDisabled = env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || exporters === 'none';
  if (isDisabled || (exporters === undefined && first(endpoints) === undefined)) return noTracing;
  const protocol = first(protocols) ?? 'http/protobuf';
  const isKnown = protocol === 'http/protobuf' || protocol === 'http/json';
  if ((exporters ?? 'otlp') !== 'otlp' || !isKnown) {
    logger.warn({ exporters, protocol }, 'no traces: only otlp over http/protobuf or http/json is spoken');
    return noTracing;
  }
  try {
    const { createOtlpTracing } = await import('./otlp-tracing.ts');
    return await createOtlpTracing(service, protocol, logger);
  } catch (error) {
    logger.warn({ err: error }, 'no traces: they cannot be set up');
    return noTracing;
  }
}
