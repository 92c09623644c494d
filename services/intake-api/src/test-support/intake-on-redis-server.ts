import { Redis } from 'ioredis';
import type { Env } from '@diq/runtime/settings/read-settings.ts';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { useIntake, type IntakeUnderTest } from './intake-under-test.ts';

/** A redis-server of the suite's own, which can be made to refuse, and an intake on it. */
export interface OnRedisServer {
  readonly server: RedisServer;
  /** For what its operators do to it. */
  readonly admin: Redis;
  readonly intake: IntakeUnderTest;
}

/** Call inside a `describe`. Server and connection are readable from its `before` hooks on. */
export function useIntakeOnRedisServer(env: Env = {}): OnRedisServer {
  let started: { server: RedisServer; admin: Redis } | undefined;
  const current = () => {
    if (!started) throw new Error('the server is there from the before hooks on');
    return started;
  };

  before('start a redis-server', async function () {
    requireRedisServer.call(this);
    const server = await startRedisServer();
    started = { server, admin: new Redis(server.url) };
  });
  const intake = useIntake(
    {
      get url() {
        return current().server.url;
      },
    },
    env,
  );
  // Behind the intake's own hook: that closes while its Redis is there.
  after('stop the redis-server', async () => {
    started?.admin.disconnect();
    await started?.server.stop();
  });

  return {
    get server() {
      return current().server;
    },
    get admin() {
      return current().admin;
    },
    intake,
  };
}
