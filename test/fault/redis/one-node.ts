import { Redis } from 'ioredis';
import type { OnStop } from '@diq/testing/open-in-steps.ts';
import { findLastingPort } from '@diq/testing/lasting-port.ts';
import { startRedisServer } from '@diq/testing/redis-process.ts';
import { startTcpProxy } from '@diq/testing/tcp-proxy.ts';
import type { OneNode } from './fault-redis.ts';

export async function startOneNode(onStop: OnStop): Promise<OneNode> {
  let server = await startRedisServer({ appendOnly: true, port: await findLastingPort() });
  onStop(() => server.stop());
  const proxy = await startTcpProxy(server.port);
  onStop(() => proxy.close());
  // An outage is part of the plan, so its errors are no news.
  const client = new Redis(server.url, { maxRetriesPerRequest: null }).on('error', () => undefined);
  onStop(() => client.disconnect());
  return {
    kind: 'single',
    env: { REDIS_URL: `redis://127.0.0.1:${proxy.port}` },
    client,
    holder: () => Promise.resolve(client),
    resetConnections: async () => proxy.resetAll(),
    get server() {
      return server;
    },
    proxy,
    async moveTo(next) {
      const former = server;
      server = next;
      client.options.port = next.port;
      client.disconnect(true);
      proxy.moveTo(next.port);
      await former.stop();
    },
  };
}
