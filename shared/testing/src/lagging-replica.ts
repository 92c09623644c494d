import { Redis } from 'ioredis';
import { startRedisServer } from './redis-process.ts';
import type { RedisServer } from './redis-process.ts';
import { startTcpProxy } from './tcp-proxy.ts';
import { waitFor } from './wait-for.ts';

/** A replica whose replication can be held back, so that it is an older state of its primary when it is promoted. */
export interface LaggingReplica {
  readonly server: RedisServer;
  /** To look into it, until it is let go. */
  readonly client: Redis;
  /** Resolves when it has all that its primary has by now. */
  untilInSync(): Promise<void>;
  /** From now on it gets no write of its primary. */
  holdBack(): void;
  /** It gets what was held back, and follows again. */
  catchUp(): void;
  /** It is no replica any more, and stays what it is. Its primary is not touched. */
  promote(): Promise<void>;
  /** Ends replication; the server goes on. */
  letGo(): Promise<void>;
}

export async function startLaggingReplica(
  primary: Pick<RedisServer, 'port'>,
  options: Parameters<typeof startRedisServer>[0] = {},
): Promise<LaggingReplica> {
  const server = await startRedisServer(options);
  const link = await startTcpProxy(primary.port);
  const [ofPrimary, ofReplica] = [new Redis(primary.port), new Redis(server.port)];
  for (const client of [ofPrimary, ofReplica]) client.on('error', () => undefined);
  // By default a primary waits for seconds whether more replicas come.
  await ofPrimary.config('SET', 'repl-diskless-sync-delay', '0');
  await ofReplica.replicaof('127.0.0.1', link.port);

  const field = async (client: Redis, name: string) =>
    new RegExp(`^${name}:(\\S+)`, 'm').exec(await client.info('replication'))?.[1];
  return {
    server,
    client: ofReplica,
    async untilInSync() {
      const wanted = Number(await field(ofPrimary, 'master_repl_offset'));
      const isThere = async () =>
        (await field(ofReplica, 'master_link_status')) === 'up' &&
        Number(await field(ofReplica, 'slave_repl_offset')) >= wanted;
      await waitFor(isThere, { what: 'the replica to have followed', timeoutMs: 30_000 });
    },
    holdBack: () => link.stall(),
    catchUp: () => link.open(),
    async promote() {
      await ofReplica.replicaof('NO', 'ONE');
    },
    async letGo() {
      for (const client of [ofPrimary, ofReplica]) client.disconnect();
      await link.close();
    },
  };
}
