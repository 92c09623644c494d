import { randomUUID } from 'node:crypto';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { createLedger, type Ledger, type LedgerSettings } from '@diq/quota/ledger/ledger.ts';
import { closeRedis, openFailFastConnection, waitUntilReady } from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import type { ReadBudget } from '@diq/quota/reads/read-budget.ts';
import { unlimitedReads } from './unlimited-reads.ts';
import { createReadStarted, createWaitReport } from '../maintenance/list-recent-starts.ts';
import { openLedger, type ColdStartMode, type OpenLedger } from '../maintenance/bootstrap-ledger.ts';
import { createDefenderReader } from '../defender/defender-reader.ts';
import { captureLog } from './capture-log.ts';
import type { SimulatorSuite } from './use-simulator.ts';

export const limit = { calls: 3, windowMs: 3_600_000 };
export const quota: LedgerSettings = { limits: [limit], callTimeoutMs: 30_000 };

/** A worker's hold on the ledger, with everything real behind it. */
export interface ColdStarter extends OpenLedger {
  readonly ledger: Ledger;
  /** What it logged, as parsed lines. */
  log(): Record<string, unknown>[];
}

/** Call inside a `describe`: each test has a key space of its own; what it opens is closed after it. */
export function useColdStarts(redis: { readonly url: string }, simulator: SimulatorSuite) {
  const closers: (() => unknown)[] = [];
  let keySpace = '';
  beforeEach('take a new key space', () => {
    keySpace = `diq:{${randomUUID()}/initiateInvestigation}`;
  });
  afterEach('close workers', async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });

  return async function start(
    mode: ColdStartMode,
    at: {
      authorityHost?: string;
      defenderUrl?: string;
      budget?: ReadBudget;
      beforeReopening?: () => Promise<void>;
    } = {},
  ): Promise<ColdStarter> {
    const { logger, lines } = captureLog();
    const connection = openFailFastConnection({ address: parseRedisUrl(redis.url), name: 'test', logger });
    closers.push(() => closeRedis(connection));
    await waitUntilReady(connection, 2_000);
    const ledger = createLedger(connection, keySpace, quota);
    const tokens = simulator.createTokens(() => undefined, at.authorityHost);
    closers.push(() => tokens.close());
    const reader = createDefenderReader({
      budget: at.budget ?? unlimitedReads,
      baseUrl: at.defenderUrl ?? simulator.origin,
      timeoutMs: 2_000,
      connect: { ca: simulator.ca },
    });
    closers.push(() => reader.close());
    const readStarted = createReadStarted(
      reader,
      tokens,
      initiateInvestigation.records,
      createWaitReport(logger),
    );
    const onRestored = () => undefined;
    const beforeReopening = at.beforeReopening ?? (async () => undefined);
    const opened = await openLedger({
      ledger,
      mode,
      readStarted,
      beforeReopening,
      onRestored,
      logger,
      settleMs: 0,
    });
    closers.push(() => opened.close());
    const log = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    return { ...opened, ledger, log };
  };
}
