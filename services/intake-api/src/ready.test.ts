import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import type { Redis } from 'ioredis';
import { findFreePort } from '@diq/runtime/processes/free-port.ts';
import { version } from '@diq/runtime/build-info.ts';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { useIntakeOnRedisServer } from './test-support/intake-on-redis-server.ts';
import { useIntake } from './test-support/intake-under-test.ts';
import { item, unknownId } from './test-support/items.ts';

interface State {
  says: string;
  refuse(admin: Redis, server: RedisServer): Promise<unknown>;
  heal(admin: Redis): Promise<unknown>;
}

const states: Record<string, State> = {
  OOM: {
    says: 'is full: maxmemory is reached',
    refuse: (admin) => admin.config('SET', 'maxmemory', '1'),
    heal: (admin) => admin.config('SET', 'maxmemory', '0'),
  },
  READONLY: {
    says: 'is a read-only replica: a failover is going on, or REDIS_URL names the wrong node',
    refuse: async (admin) => admin.replicaof('127.0.0.1', await findFreePort()),
    heal: (admin) => admin.replicaof('NO', 'ONE'),
  },
  NOREPLICAS: {
    says: 'has fewer replicas than it must have to take writes',
    refuse: (admin) => admin.config('SET', 'min-replicas-to-write', '1'),
    heal: (admin) => admin.config('SET', 'min-replicas-to-write', '0'),
  },
  NOPERM: {
    says: 'does not allow its user a command or a key that is needed: docs/deploy.md',
    refuse: (admin) => admin.call('ACL', 'SETUSER', 'default', '-@write'),
    heal: (admin) => admin.call('ACL', 'SETUSER', 'default', '+@all'),
  },
  NOAUTH: {
    says: 'refuses the user name or password in REDIS_URL',
    async refuse(admin) {
      await admin.call('ACL', 'SETUSER', 'default', 'resetpass', '>another');
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    },
    heal: (admin) => admin.call('ACL', 'SETUSER', 'default', 'nopass'),
  },
  MISCONF: {
    says: 'cannot write to its disk',
    async refuse(admin, server) {
      await rm(server.dir, { recursive: true });
      await admin.config('SET', 'save', '3600 1');
      await admin.bgsave();
      const hasFailed = async () => (await admin.info('persistence')).includes('rdb_last_bgsave_status:err');
      await waitFor(hasFailed, { what: 'a snapshot to fail' });
    },
    heal: (admin) => admin.config('SET', 'save', ''),
  },
};

describe('readiness of the intake', () => {
  const suite = useIntakeOnRedisServer();
  const { intake } = suite;
  const readyz = () => intake.anonymously().get('/readyz');

  for (const [name, { says, refuse, heal }] of Object.entries(states)) {
    it(`is lost while Redis answers ${name}, in words, and back with it; nothing is answered 500`, async () => {
      const { admin, server } = suite;
      await readyz().expect(200);
      await refuse(admin, server);
      try {
        const isLost = async () => (await readyz()).body.checks.redis === says;
        await waitFor(isLost, { what: 'its words' });
        const isSeen = async () =>
          (await intake.post('/v1/investigations', item(1))).body.code === 'redis_full';
        if (name === 'OOM') await waitFor(isSeen, { what: 'its memory to be read' });
        await readyz().expect(503);
        // Known to be full, it is not asked.
        const code = name === 'OOM' ? 'redis_full' : 'redis_unavailable';
        expectProblem(await intake.post('/v1/investigations', item(1)), code);
        expectProblem(await intake.post('/v1/batches', { requests: [item(1)] }), code);
        for (const path of ['/v1/investigations', `/v1/investigations/${unknownId}`, '/v1/quota']) {
          const { status } = await intake.get(path);
          assert.ok([200, 404, 503].includes(status), `${path}: ${status}`);
        }
      } finally {
        await heal(admin);
      }
      // Redis' memory is read once a second: until then new work is refused for what it was.
      const isBack = async () => {
        const { status, body } = await readyz();
        return status === 200 && body.checks.memory === undefined;
      };
      await waitFor(isBack, { what: 'readiness' });
      // That there is room again shows with the next reading of its memory.
      const isTaken = async () => (await intake.post('/v1/investigations', item(2))).status === 202;
      await waitFor(isTaken, { what: 'new work to be taken' });
    });
  }

  it('is answered with the version of the service', async () => {
    assert.equal((await readyz()).body.version, version);
  });

  it('looks by writing one key that goes by itself', async () => {
    const count = async () => suite.admin.dbsize();
    await readyz();
    const before = await count();
    for (let i = 0; i < 5; i += 1) await readyz().expect(200);
    assert.equal(await count(), before);
    const [probe = ''] = await suite.admin.keys('*:write-probe');
    assert.ok((await suite.admin.pttl(probe)) > 0);
  });
});

describe('readiness of an intake at one node of a cluster', () => {
  let server: RedisServer | undefined;
  before(async function () {
    requireRedisServer.call(this);
    server = await startRedisServer({ args: ['--cluster-enabled', 'yes'] });
  });
  const intake = useIntake({
    get url() {
      return server?.url ?? '';
    },
    isAway: true,
  });
  after(() => server?.stop());

  it('is not there, in words, and its routes answer 503', async () => {
    const isSaid = async () =>
      /is a node of a Redis Cluster/.test(
        (await intake.anonymously().get('/readyz')).body.checks.redis ?? '',
      );
    await waitFor(isSaid, { what: 'its words' });
    expectProblem(await intake.get('/v1/investigations'), 'redis_unavailable');
    expectProblem(await intake.get('/v1/quota'), 'redis_unavailable');
  });
});
