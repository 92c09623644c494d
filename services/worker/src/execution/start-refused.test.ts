import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { request } from 'undici';
import { findFreePort } from '@diq/runtime/processes/free-port.ts';
import type { ServiceProcess } from '@diq/runtime/processes/spawn-service.ts';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { startWorker, allOutput, forgetOutput, stopAll } from '@diq/testing/service-process.ts';
import { waitFor } from '@diq/testing/wait-for.ts';

/** A server that answers and does not serve, for its reason; and what makes it serve. */
interface State {
  says: RegExp;
  args?: readonly string[];
  user?: string;
  refuse(admin: Redis): Promise<unknown>;
  heal(admin: Redis): Promise<unknown>;
}

const deadPrimary = async () => ['127.0.0.1', String(await findFreePort())] as const;
const states: Record<string, State> = {
  'is a read-only replica': {
    says: /is a read-only replica/,
    refuse: async (admin) => admin.replicaof(...(await deadPrimary())),
    heal: (admin) => admin.replicaof('NO', 'ONE'),
  },
  'has too few replicas': {
    says: /has fewer replicas than it must have/,
    refuse: (admin) => admin.config('SET', 'min-replicas-to-write', '1'),
    heal: (admin) => admin.config('SET', 'min-replicas-to-write', '0'),
  },
  'is a node of a cluster without the slot': {
    says: /is a node of a Redis Cluster/,
    args: ['--cluster-enabled', 'yes'],
    refuse: async () => undefined,
    heal: (admin) => admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383'),
  },
  'forbids its user to write': {
    says: /does not allow its user a command or a key/,
    user: 'worker:pass',
    refuse: (admin) => admin.call('ACL', 'SETUSER', 'worker', 'on', '>pass', '~*', '&*', '+@all', '-@write'),
    heal: (admin) => admin.call('ACL', 'SETUSER', 'worker', '+@write'),
  },
  'does not know the password': {
    says: /refuses the user name or password in REDIS_URL/,
    user: 'worker:pass',
    refuse: (admin) => admin.call('ACL', 'SETUSER', 'worker', 'on', '>other', '~*', '&*', '+@all'),
    heal: (admin) => admin.call('ACL', 'SETUSER', 'worker', '>pass'),
  },
  'is busy with a script': {
    says: /is busy with a script/,
    args: ['--lua-time-limit', '1'],
    async refuse(admin) {
      const busy = admin.duplicate();
      busy.eval('while true do end', 0).catch(() => busy.disconnect());
      await untilAnswered(admin, /^BUSY /);
    },
    heal: (admin) => admin.script('KILL'),
  },
  'is loading its data': {
    says: /loads its data/,
    // A millisecond for each of many keys, and commands are answered meanwhile.
    args: ['--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024'],
    async refuse(admin) {
      await admin.call('DEBUG', 'POPULATE', '100000');
      const loading = admin.duplicate();
      void loading
        .call('DEBUG', 'RELOAD')
        .catch(() => undefined)
        .finally(() => loading.disconnect());
      await untilAnswered(admin, /^LOADING /);
    },
    heal: (admin) => admin.config('SET', 'key-load-delay', '0'),
  },
};

async function untilAnswered(admin: Redis, refusal: RegExp): Promise<void> {
  const isRefused = () =>
    admin.get('any').then(
      () => false,
      (error: Error) => refusal.test(error.message),
    );
  await waitFor(isRefused, { what: String(refusal) });
}

describe('a worker that is started while Redis answers and does not serve', function () {
  this.timeout(40_000);
  let server: RedisServer | undefined;
  let admin: Redis | undefined;
  before(requireRedisServer);
  beforeEach(forgetOutput);
  afterEach(async () => {
    await stopAll();
    admin?.disconnect();
    await server?.stop();
  });

  for (const [name, state] of Object.entries(states)) {
    it(`waits, says why, and goes on as soon as it is well: the server ${name}`, async () => {
      server = await startRedisServer({ args: state.args ?? [] });
      admin = new Redis(server.url);
      await state.refuse(admin);
      const port = await findFreePort();
      let ready: ServiceProcess | undefined;
      const starting = start(server.url, state.user, port).then((worker) => (ready = worker));
      await waitFor(async () => state.says.test(allOutput()), { what: 'its words', timeoutMs: 20_000 });
      const { statusCode, body } = await request(`http://127.0.0.1:${port}/readyz`);
      const { checks } = (await body.json()) as { checks: { redis: string } };
      assert.equal(statusCode, 503);
      if (name.includes('password')) assert.match(checks.redis, state.says);
      assert.equal(ready, undefined);

      await state.heal(admin);
      const worker = await starting;
      assert.equal((await request(`http://127.0.0.1:${port}/readyz`)).statusCode, 200);
      assert.doesNotMatch(allOutput(), /could not start|pass"/);
      assert.equal((await worker.stop()).code, 0);
    });
  }

  it('does not wait for room where Redis is full: what is accepted is to be called', async () => {
    server = await startRedisServer({ args: ['--maxmemory', '1'] });
    const port = await findFreePort();
    const worker = await start(server.url, undefined, port);
    assert.equal((await request(`http://127.0.0.1:${port}/readyz`)).statusCode, 200);
    assert.equal((await worker.stop()).code, 0);
  });

  it('is not ready any more when Redis takes no writes later, and says why', async () => {
    server = await startRedisServer();
    admin = new Redis(server.url);
    const port = await findFreePort();
    await start(server.url, undefined, port);
    await admin.config('SET', 'min-replicas-to-write', '1');
    const isSaid = async (reason: RegExp) => {
      const { statusCode, body } = await request(`http://127.0.0.1:${port}/readyz`);
      assert.equal(statusCode, 503);
      const { checks } = (await body.json()) as { checks: Record<string, string> };
      assert.match(checks['redis'] ?? '', reason);
    };
    await isSaid(/fewer replicas/);
    await admin.config('SET', 'min-replicas-to-write', '0');
    // Those of the limiter begin with another word.
    await admin.call('ACL', 'SETUSER', 'default', 'resetkeys', '~diq:*');
    await isSaid(/does not allow its user a command or a key/);
  });
});

async function start(url: string, user: string | undefined, port: number): Promise<ServiceProcess> {
  return startWorker({
    WORKER_HOST: '127.0.0.1',
    WORKER_PORT: String(port),
    REDIS_URL: user === undefined ? url : url.replace('://', `://${user}@`),
    AZURE_TENANT_ID: randomUUID(),
    AZURE_CLIENT_ID: randomUUID(),
    AZURE_CLIENT_SECRET: 'the-secret-of-the-application',
    // No server is there: no call is to be made.
    DEFENDER_BASE_URL: `http://127.0.0.1:${await findFreePort()}`,
    QUOTA_COLD_START: 'open',
  });
}
