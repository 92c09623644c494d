import { profileOf } from '@diq/contracts/operations/index.ts';
import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { WorkerConfig } from '../config.ts';
import { createDefenderClient } from '../defender/defender-client.ts';
import {
  createDefenderReader,
  lists,
  type DefenderReaderOptions,
  type ListName,
} from '../defender/defender-reader.ts';
import { createTokenProvider } from '../defender/auth/token-provider.ts';
import type { WorkerMetrics } from '../observability/metrics.ts';

/** For one page of one of Defender's lists. */
export const longestReadMs = 10_000;

/** The clients of Entra ID and Defender. */
export function openDefender({
  config,
  logger,
  lifecycle,
  metrics,
}: {
  config: WorkerConfig;
  logger: Logger;
  lifecycle: Lifecycle;
  metrics: Pick<WorkerMetrics, 'tokenRequests' | 'oddRows'>;
}) {
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
    profile: profileOf(config.operation),
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

/** The same rows come back with every look at a machine: one line in this time says it. */
const lineEveryMs = 60_000;

/** Counts the rows that cannot be read, and says so in at most one line a minute for each list. */
export function createOddRowReport(
  counter: { inc(labels: { list: ListName }, rows: number): void },
  logger: Pick<Logger, 'warn'>,
  nowMs: () => number = () => performance.now(),
): NonNullable<DefenderReaderOptions['onOddRows']> {
  const silentUntilMs = new Map<ListName, number>(lists.map((list) => [list, -Infinity]));
  return (list, { odd, read }) => {
    counter.inc({ list }, odd);
    if (nowMs() < (silentUntilMs.get(list) ?? 0)) return;
    silentUntilMs.set(list, nowMs() + lineEveryMs);
    logger.warn(
      { list, unreadable: odd, read },
      "rows of Defender's list cannot be read and are passed over",
    );
  };
}
