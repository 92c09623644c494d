import { createPermitLimiter, openLimiterConnection, type PermitLimiter } from '../limiter/permit-limiter.ts';
import { useLedgerConnections } from './ledger-connections.ts';

export interface TestLimiters {
  readonly keySpace: string;
  /** A limiter with a connection of its own, as another process would have it. */
  open(url: string, settings: { limit: number; windowMs?: number }): Promise<PermitLimiter>;
}

/** Call inside a `describe`: limiters are closed after each test. */
export function usePermitLimiters(): TestLimiters {
  const opened: { close(): unknown }[] = [];
  afterEach('close limiters', async () => {
    for (const one of opened.splice(0).toReversed()) await one.close();
  });
  const connections = useLedgerConnections();
  const keySpace = 'test:{permits}';
  return {
    keySpace,
    async open(url, { limit, windowMs = 60_000 }) {
      const connection = openLimiterConnection(await connections.open(url), () => undefined);
      opened.push(connection);
      const limiter = await createPermitLimiter({
        connection,
        keySpace,
        limits: [{ calls: limit, windowMs }],
        callTimeoutMs: 1_000,
        onError() {},
      });
      opened.push(limiter);
      return limiter;
    },
  };
}
