import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/** What servers of a test ask of those that connect; nothing by default. */
export interface RedisTestAccess {
  readonly password?: string;
  /** PEM of a certificate for 127.0.0.1 and its key: then they speak TLS only, among themselves too. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** Servers and the test itself, by the same access. */
export interface OpenedAccess {
  /** Arguments of a redis-server that listens on this port. */
  args(port: number): string[];
  /** The same, one directive a line, for the file of a sentinel. */
  directives(port: number): string;
  /** The URL of a service that is let in; its host and port are not used. */
  readonly url: string;
  connect(port: number): Redis;
  close(): Promise<void>;
}

export async function openAccess({ password, tls }: RedisTestAccess): Promise<OpenedAccess> {
  const dir = await mkdtemp(join(tmpdir(), 'diq-redis-access-'));
  if (tls) {
    await writeFile(join(dir, 'cert.pem'), tls.cert);
    await writeFile(join(dir, 'key.pem'), tls.key, { mode: 0o600 });
  }
  const directivesFor = (port: number): [name: string, value: string][] => [
    ...(password === undefined
      ? []
      : ([
          ['requirepass', password],
          ['masterauth', password],
        ] as [string, string][])),
    ...(tls
      ? ([
          ['port', '0'],
          ['tls-port', String(port)],
          ['tls-cert-file', join(dir, 'cert.pem')],
          ['tls-key-file', join(dir, 'key.pem')],
          ['tls-ca-cert-file', join(dir, 'cert.pem')],
          ['tls-auth-clients', 'no'],
          ['tls-replication', 'yes'],
          ['tls-cluster', 'yes'],
        ] as [string, string][])
      : []),
  ];
  const clients: Redis[] = [];
  return {
    args: (port) => directivesFor(port).flatMap(([name, value]) => [`--${name}`, value]),
    directives: (port) =>
      directivesFor(port)
        .filter(([name]) => name !== 'masterauth' && name !== 'tls-cluster')
        .map((directive) => directive.join(' '))
        .join('\n'),
    url: `${tls ? 'rediss' : 'redis'}://${password === undefined ? '' : `:${password}@`}host.invalid`,
    connect(port) {
      const client = new Redis({
        port,
        host: '127.0.0.1',
        ...(password === undefined ? {} : { password }),
        ...(tls ? { tls: { ca: tls.cert } } : {}),
        maxRetriesPerRequest: 0,
        commandTimeout: 5_000,
        retryStrategy: () => 50,
      }).on('error', () => undefined);
      clients.push(client);
      return client;
    },
    async close() {
      for (const client of clients) client.disconnect();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Whether the server has this word in its `INFO` for a field. */
export async function replicationField(client: Redis, name: string): Promise<string | undefined> {
  return new RegExp(`^${name}:(\\S+)`, 'm').exec(await client.info('replication'))?.[1];
}
