import type { Logger } from '../logging/logger.ts';
import type { Env } from '../settings/read-settings.ts';
import { noTracing } from './tracing.ts';
import type { Tracing } from './tracing.ts';

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
    return await createOtlpTracing({ service, protocol, logger });
  } catch (error) {
    logger.warn({ err: error }, 'no traces: they cannot be set up');
    return noTracing;
  }
}
