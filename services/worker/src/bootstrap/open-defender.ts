import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { WorkerConfig } from '../config.ts';
import { createDefenderClient } from '../defender/defender-client.ts';
import { createDefenderReader } from '../defender/defender-reader.ts';
import { createOddRowReport } from '../defender/odd-row-report.ts';
import { findOperation } from '../defender/operations/find-operation.ts';
import { createTokenProvider } from '../defender/auth/token-provider.ts';
import type { WorkerMetrics } from '../observability/metrics.ts';

export interface OpenDefenderOptions {
  config: WorkerConfig;
  logger: Logger;
  lifecycle: Lifecycle;
  metrics: Pick<WorkerMetrics, 'tokenRequests' | 'oddRows'>;
}

/** For one page of one of Defender's lists. */
export const longestReadMs = 10_000;

/** The clients of Entra ID and Defender. */
export function openDefender({ config, logger, lifecycle, metrics }: OpenDefenderOptions) {
  const tokens = createTokenProvider({
    tenantId: config.tenantId,
    clientId: config.clientId,
    credential: config.credential,
    authorityHost: config.authorityHost,
    scope: config.scope,
    onRequest: (outcome) => metrics.tokenRequests.inc({ outcome }),
    logger,
  });
  lifecycle.onClose('token provider', () => tokens.close());
  const defender = createDefenderClient({
    baseUrl: config.baseUrl,
    callTimeoutMs: config.callTimeoutMs,
    profile: findOperation(config.operation),
  });
  lifecycle.onClose('defender client', () => defender.close());
  const reader = createDefenderReader({
    baseUrl: config.baseUrl,
    timeoutMs: Math.min(config.callTimeoutMs, longestReadMs),
    onOddRows: createOddRowReport(metrics.oddRows, logger),
  });
  lifecycle.onClose('defender reader', () => reader.close());
  return { tokens, defender, reader };
}
