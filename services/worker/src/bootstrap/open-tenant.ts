import type { OperationProfile } from '@diq/contracts/operations/profile.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { ReachableTenant } from '@diq/tenants/tenant.ts';
import { createTokenProvider } from '../defender/auth/token-provider.ts';
import { createDefenderClient } from '../defender/defender-client.ts';
import {
  createDefenderReader,
  lists,
  type DefenderReaderOptions,
  type ListName,
} from '../defender/defender-reader.ts';
import type { WorkerMetrics } from '../observability/metrics.ts';

/** For one page of one of Defender's lists. */
export const longestReadMs = 10_000;

/** What all queues of a tenant share: its tokens, and its Defender. */
export type OpenTenant = ReturnType<typeof openTenant>;

/** The clients of Entra ID and Defender of one tenant, with its own credential. Nothing is asked before it is needed. */
export function openTenant({
  tenant,
  callTimeoutMs,
  logger,
  metrics,
}: {
  tenant: Pick<ReachableTenant, 'tenantId' | 'access'>;
  callTimeoutMs: number;
  logger: Logger;
  metrics: Pick<WorkerMetrics, 'tokenRequests' | 'oddRows'>;
}) {
  const { clientId, credential, authorityHost, scope, baseUrl } = tenant.access;
  const tokens = createTokenProvider({
    tenantId: tenant.tenantId,
    clientId,
    credential,
    authorityHost,
    scope,
    onRequest: (outcome) => metrics.tokenRequests.inc({ outcome }),
    logger,
  });
  const reader = createDefenderReader({
    baseUrl,
    timeoutMs: Math.min(callTimeoutMs, longestReadMs),
    onOddRows: createOddRowReport(metrics.oddRows, logger),
  });
  return {
    clientId,
    tokens,
    reader,
    /** Closed by its queue. */
    createClient: (profile: OperationProfile) => createDefenderClient({ baseUrl, callTimeoutMs, profile }),
    /** Ends reads and requests for tokens that are under way. */
    async close(): Promise<void> {
      await Promise.all([reader.close(), tokens.close()]);
    },
  };
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
