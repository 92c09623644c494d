import type { Limit } from '@diq/contracts/operations.ts';
import type { Download, OperationProfile, Records } from '@diq/contracts/operations/profile.ts';
import type { LinkExchange } from '@diq/queue/questions/link-exchange.ts';
import type { ReadExchange } from '@diq/queue/questions/read-exchange.ts';
import { createReadBudget, readLimits } from '@diq/quota/reads/read-budget.ts';
import { createReadTurn } from '@diq/quota/reads/read-turn.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { repeat } from '@diq/runtime/async/run-periodically.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { Proxy } from '@diq/runtime/http-client/proxy-settings.ts';
import type { ReachableTenant } from '@diq/tenants/tenant.ts';
import { createTokenProvider } from '../defender/auth/token-provider.ts';
import { createDefenderClient, createStartTls } from '../defender/defender-client.ts';
import {
  createDefenderReader,
  createReadingAgent,
  lists,
  type DefenderReader,
  type DefenderReaderOptions,
  type ListName,
} from '../defender/defender-reader.ts';
import { createLinkAnswers } from '../answers/answer-links.ts';
import { createReadAnswers } from '../answers/answer-reads.ts';
import type { TenantMetrics } from '../observability/metrics.ts';
import type { UnresolvedCall } from '../reconciliation/finding.ts';
import { createFollowUp } from '../follow-up/follow-up.ts';
import { lookUp } from '../reconciliation/query-defender.ts';

/** For one page of one of Defender's lists. */
const longestReadMs = 10_000;
/** For one look at what became of a call: four reads at most. */
export const longestLookMs = 4 * longestReadMs;
/** Of a worker that reads for all results that are due and gives no sign of life: then another one does. */
const followTurnMs = 10_000;
/** For one read ahead of a call: two of them, one after the other, are to be over before another look may begin. */
const longestLookReadMs = 5_000;

/** What all queues of a tenant share: its tokens, and its Defender. */
export type OpenTenant = ReturnType<typeof openTenant>;

/** The clients of Entra ID and Defender of one tenant, with its own credential. Nothing is asked before it is needed. */
export function openTenant({
  tenant,
  redis,
  readShare,
  followUpEveryMs,
  callTimeoutMs,
  proxy,
  logger,
  metrics,
}: {
  tenant: Pick<ReachableTenant, 'tenantId' | 'access'>;
  /** Where the budget of reads stands. */
  redis: RedisConnection;
  /** The part of Defender's limits for reads that is used. */
  readShare: number;
  followUpEveryMs: number;
  callTimeoutMs: number;
  proxy: Proxy | undefined;
  logger: Logger;
  metrics: TenantMetrics;
}) {
  const { clientId, credential, authorityHost, scope, baseUrl } = tenant.access;
  const tokens = createTokenProvider({
    tenantId: tenant.tenantId,
    clientId,
    credential,
    authorityHost,
    scope,
    proxy,
    onRequest: (outcome) => metrics.tokenRequests.inc({ outcome }),
    logger,
  });
  const reads = openReadBudget(tenant, { redis, readShare, metrics });
  const timeoutMs = Math.min(callTimeoutMs, longestReadMs);
  const agent = createReadingAgent({ timeoutMs, proxy });
  const reading = {
    baseUrl,
    timeoutMs,
    agent,
    onOddRows: createOddRowReport(metrics.oddRows, logger),
  };
  const reader = createDefenderReader({ ...reading, budget: reads.budget });
  const lookReader = createDefenderReader({
    ...reading,
    timeoutMs: Math.min(callTimeoutMs, longestLookReadMs),
    budget: { take: () => reads.budget.take('optional') },
  });
  const linkReader = (download: Download) =>
    createDefenderReader({
      ...reading,
      budget: download.limits === undefined ? reads.budget : openLinkBudget(tenant, redis, download.limits),
    });
  const linkReaders: DefenderReader[] = [];
  const followReader = createDefenderReader({
    ...reading,
    budget: { take: () => reads.budget.take('optional') },
  });
  const followUp = createFollowUp({
    reader: followReader,
    tokens,
    turn: createReadTurn({ redis, tenantId: tenant.tenantId, forMs: followTurnMs }),
    shortestEveryMs: followUpEveryMs,
  });
  const startTls = createStartTls();
  const closeReaders = async () =>
    void (await Promise.all([reader, lookReader, followReader, ...linkReaders].map((one) => one.close())));
  const close = async () => {
    await Promise.all([followUp.close(), closeReaders(), tokens.close(), reads.close()]);
    await agent.destroy();
  };
  return {
    clientId,
    tokens,
    reader,
    /** Answers who asks for links to what the machine actions of an operation brought. */
    createLinkAnswers(exchange: LinkExchange, download: Download, log: Logger) {
      const links = linkReader(download);
      linkReaders.push(links);
      return createLinkAnswers({ exchange, download, reader: links, tokens, baseUrl, logger: log });
    },
    /** Answers what is read for callers of the front door: it is left out before anything of the service waits for it. */
    createReadAnswers: (exchange: ReadExchange, log: Logger) =>
      createReadAnswers({ exchange, reader: lookReader, tokens, logger: log }),
    /** One look at what became of a call, in the list that the profile of its operation names. */
    lookUp: (call: UnresolvedCall, records: Records) => lookUp(call, { reader, tokens, records }),
    /** For what can be left out: it leaves a part of the budget to the other one. */
    lookReader,
    /** Of the results of all its queues. */
    followUp,
    /** Gives up the reads under way, and all later ones. */
    closeReaders,
    /** Closed by its queue, which may be opened again later: the session over TLS is the tenant's. */
    createClient: (profile: OperationProfile) =>
      createDefenderClient({ baseUrl, callTimeoutMs, profile, proxy, startTls }),
    /** Ends reads and requests for tokens that are under way. */
    close,
  };
}

/** The reads of links that have limits of their own. */
function openLinkBudget(
  { tenantId }: { tenantId: string },
  redis: RedisConnection,
  limits: readonly Limit[],
) {
  return createReadBudget({
    redis,
    tenantId,
    name: 'package-links',
    limits,
    timeoutMs: longestReadMs + sendWithinMs,
  });
}

/** From taking a read to sending it. */
const sendWithinMs = 5_000;
/** How often the metric is brought up to date while nothing is read. */
const countEveryMs = 60_000;
/** From this part of a limit on, reads in use are counted in Redis though none is made: others may use them up, or have stopped. */
const countedFrom = 0.5;

/** The tenant's reads. The metric falls when they count no more. */
function openReadBudget(
  { tenantId }: { tenantId: string },
  {
    redis,
    readShare,
    metrics,
  }: {
    redis: RedisConnection;
    readShare: number;
    metrics: Pick<TenantMetrics, 'readsRefused' | 'showReadsUsed'>;
  },
) {
  const limits = readLimits(readShare);
  const seen = createSeenReads(limits);
  const budget = createReadBudget({
    redis,
    tenantId,
    limits,
    timeoutMs: longestReadMs + sendWithinMs,
    onUsed(used) {
      seen.counted(used);
      metrics.showReadsUsed(used);
    },
    onRefused: () => metrics.readsRefused.inc(),
  });
  const count = async () => {
    if (seen.areMany()) await budget.used();
    else metrics.showReadsUsed(seen.inUse());
  };
  // That Redis is away shows elsewhere.
  return { budget, close: repeat(countEveryMs, count, () => undefined) };
}

/**
 * The reads in use, as this process saw them last. Those of a window are over one window later: so the metric falls without a
 * command, of many tenants each of which reads once in a while.
 */
export function createSeenReads(limits: readonly Limit[], nowMs: () => number = () => performance.now()) {
  let [last, lastAtMs]: [readonly number[], number] = [limits.map(() => 0), 0];
  const inUse = () => limits.map(({ windowMs }, i) => (nowMs() - lastAtMs < windowMs ? (last[i] ?? 0) : 0));
  return {
    /** By limit, in the order of the limits. */
    counted(used: readonly number[]): void {
      [last, lastAtMs] = [used, nowMs()];
    },
    inUse,
    /** So many that it matters how many they are by now. */
    areMany: () => inUse().some((reads, i) => reads >= countedFrom * (limits[i]?.calls ?? Infinity)),
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
