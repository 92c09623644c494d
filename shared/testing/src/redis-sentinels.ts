import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { findLastingPort } from './lasting-port.ts';
import { openInSteps, type OnStop } from './open-in-steps.ts';
import { openAccess, replicationField, type OpenedAccess, type RedisTestAccess } from './redis-access.ts';
import { launchProcess, startRedisServer, type RedisServer } from './redis-process.ts';
import { cutReplication, untilReplicated } from './replication-link.ts';
import { waitFor } from './wait-for.ts';

export interface RedisSentinelsOptions extends RedisTestAccess {
  /** Writes every command to disk before it is answered. */
  readonly appendOnly?: boolean;
  /** Default 1. */
  readonly replicas?: number;
}

/** A server that the sentinels watch, and the test's own connection to it. */
export interface WatchedServer {
  readonly server: RedisServer;
  readonly client: Redis;
}

/** A primary with replicas, and three sentinels that watch over them: real ones, which belong to one test. */
export interface RedisSentinels {
  /** The settings of a service that uses it. */
  readonly env: Readonly<Record<string, string>>;
  readonly access: OpenedAccess;
  /** As the sentinels name them. */
  primary(): Promise<WatchedServer>;
  /** The others, of those that run. */
  replicas(): Promise<WatchedServer[]>;
  /** Resolves to the new primary when all sentinels name another one than this, and it takes writes. */
  untilFailedOver(from: WatchedServer): Promise<WatchedServer>;
  /** Resolves when the replicas that run have all that their primary has by now. */
  untilInSync(): Promise<void>;
  /** From now on the replicas get no write of their primary. Resolves to what ends that. */
  holdReplicasBack(): Promise<() => Promise<void>>;
  stop(): Promise<void>;
}

const name = 'queue';
const quorum = 2;
const sentinelCount = 3;
/** A primary without a sign of life for this long counts as lost. */
const downAfterMs = 1_500;

export function startRedisSentinels(options: RedisSentinelsOptions = {}): Promise<RedisSentinels> {
  return openInSteps((onStop, stop) => open(options, onStop, stop));
}

async function open(
  options: RedisSentinelsOptions,
  onStop: OnStop,
  stop: () => Promise<void>,
): Promise<RedisSentinels> {
  const access = await openAccess(options);
  onStop(access.close);
  const start = async (more: readonly string[]): Promise<WatchedServer> => {
    const port = await findLastingPort();
    const args = ['--repl-diskless-sync-delay', '0', ...access.args(port), ...more];
    const server = await startRedisServer({ appendOnly: options.appendOnly ?? false, port, args });
    onStop(() => server.stop());
    return { server, client: access.connect(port) };
  };
  const first = await start([]);
  const servers = [first];
  for (let i = 0; i < (options.replicas ?? 1); i += 1) {
    const replica = await start(['--replicaof', `127.0.0.1 ${first.server.port}`]);
    await untilReplicated(first.client, replica.client);
    servers.push(replica);
  }
  const ports: number[] = [];
  for (let i = 0; i < sentinelCount; i += 1) {
    ports.push(await startSentinel(first.server.port, options.password, access, onStop));
  }
  const sentinels = ports.map(access.connect);
  for (const sentinel of sentinels) await untilReady(sentinel, servers.length - 1);

  const namedBy = async (sentinel: Redis) => {
    const [, port] = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as string[];
    return servers.find(({ server }) => server.port === Number(port)) ?? first;
  };
  const primary = async () => namedBy(sentinels[0] ?? first.client);
  const replicas = async () => {
    const of = await primary();
    const roles = await Promise.all(
      servers.map(({ client }) => replicationField(client, 'role').catch(() => '')),
    );
    return servers.filter((watched, i) => watched !== of && roles[i] !== '');
  };
  return {
    env: {
      REDIS_URL: access.url,
      REDIS_SENTINELS: ports.map((port) => `127.0.0.1:${port}`).join(','),
      REDIS_SENTINEL_NAME: name,
      ...(options.password === undefined ? {} : { REDIS_SENTINEL_PASSWORD: options.password }),
    },
    access,
    primary,
    replicas,
    async untilFailedOver(from) {
      const isOver = async () => {
        const [now, ...others] = await Promise.all(sentinels.map(namedBy));
        if (!now || now === from || others.some((other) => other !== now)) return false;
        return (await replicationField(now.client, 'role')) === 'master';
      };
      await waitFor(isOver, { what: 'the failover', timeoutMs: 30_000 });
      return primary();
    },
    async untilInSync() {
      const { client } = await primary();
      for (const replica of await replicas()) await untilReplicated(client, replica.client);
    },
    async holdReplicasBack() {
      const resume = await Promise.all((await replicas()).map(({ client }) => cutReplication(client)));
      return async () => {
        await Promise.all(resume.map((one) => one()));
      };
    },
    stop,
  };
}

async function startSentinel(
  primaryPort: number,
  password: string | undefined,
  access: OpenedAccess,
  onStop: OnStop,
): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'diq-sentinel-'));
  onStop(() => rm(dir, { recursive: true, force: true }));
  const port = await findLastingPort();
  const file = join(dir, 'sentinel.conf');
  // A sentinel writes what it learns into its file.
  await writeFile(
    file,
    `port ${port}
bind 127.0.0.1
dir ${dir}
${access.directives(port)}
sentinel monitor ${name} 127.0.0.1 ${primaryPort} ${quorum}
sentinel down-after-milliseconds ${name} ${downAfterMs}
sentinel failover-timeout ${name} 10000
${password === undefined ? '' : `sentinel auth-pass ${name} ${password}\nsentinel sentinel-pass ${password}`}
`,
  );
  const child = await launchProcess([file, '--sentinel'], '+monitor master');
  onStop(async () => {
    const ended = once(child, 'exit');
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await ended;
  });
  return port;
}

/** A sentinel that does not know the others and the replica fails nothing over. */
async function untilReady(sentinel: Redis, replicaCount: number): Promise<void> {
  const isReady = async () => {
    const reply = await sentinel.call('SENTINEL', 'MASTER', name);
    const facts = Array.isArray(reply)
      ? new Map(pairsOf(reply as string[]))
      : new Map(Object.entries(reply as object));
    return (
      facts.get('num-slaves') === String(replicaCount) &&
      facts.get('num-other-sentinels') === String(sentinelCount - 1) &&
      facts.get('flags') === 'master'
    );
  };
  await waitFor(isReady, { what: 'the sentinels to know each other', timeoutMs: 20_000 });
}

function pairsOf(flat: readonly string[]): [string, unknown][] {
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]] as [string, unknown]] : []));
}
