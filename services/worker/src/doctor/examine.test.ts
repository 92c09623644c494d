import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { Redis } from 'ioredis';
import { examine } from './examine.ts';

describe('the examination of many tenants', () => {
  const redis = useEmbeddedRedis();
  const open = new Set<Socket>();
  let [connections, mostOpen] = [0, 0];
  let entra: Server;
  let folder: string;
  let env: Record<string, string>;

  /** Holds it open for a moment, in which all that are asked for at once come. */
  function accept(socket: Socket) {
    connections += 1;
    open.add(socket.on('error', () => undefined).on('close', () => open.delete(socket)));
    mostOpen = Math.max(mostOpen, open.size);
    setTimeout(() => socket.destroy(), 100);
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diq-examine-'));
    entra = createServer(accept).listen(0, '127.0.0.1');
    await once(entra, 'listening');
    const origin = `https://127.0.0.1:${(entra.address() as AddressInfo).port}`;
    const tenants = Array.from({ length: 25 }, (_, i) => ({
      name: `tenant-${i}`,
      tenantId: randomUUID(),
      clientId: randomUUID(),
      clientSecretFile: join(folder, 'secret'),
      authorityHost: origin,
      defenderBaseUrl: origin,
    }));
    await writeFile(join(folder, 'secret'), 'a-secret-of-some-length', { mode: 0o600 });
    await writeFile(join(folder, 'tenants'), JSON.stringify({ tenants }));
    env = { REDIS_URL: redis.url, TENANTS_FILE: join(folder, 'tenants') };
  });
  after(async () => {
    entra.close();
    await rm(folder, { recursive: true });
  });

  it('asks for ten tokens at a time, and finds something about each tenant, in their order', async () => {
    const findings = await examine(env);
    assert.deepEqual(
      findings.map(({ check }) => check),
      [
        'settings of the worker',
        'Redis',
        ...Array.from({ length: 25 }, (_, i) => `credential of tenant-${i}`),
      ],
    );
    assert.ok(connections >= 25, `${connections} connections`);
    assert.equal(mostOpen, 10);
  });

  it('says of which it was not, when its time is over', async () => {
    const { check, state, detail } = (await examine(env, { askForMs: 0 })).at(-1) ?? {};
    assert.deepEqual(
      [check, state, detail],
      ['credentials', 'unknown', 'not asked for within 0 s: those of 25 tenants, from tenant-0 on'],
    );
  });

  describe('of a Redis that shows its user nothing of its configuration', () => {
    let server: RedisServer;
    before(requireRedisServer);
    before(async () => {
      server = await startRedisServer();
      const admin = new Redis(server.url);
      await admin.acl('SETUSER', 'doctor', 'on', '>password', '~*', '+@all', '-config');
      admin.disconnect();
    });
    after(() => server?.stop());

    it('says what was not checked, and why', async () => {
      const url = new URL(server.url);
      [url.username, url.password] = ['doctor', 'password'];
      const findings = await examine({ ...env, REDIS_URL: url.href }, { askForMs: 0 });
      const { detail } = findings.find(({ state, check }) => check === 'Redis' && state === 'unknown') ?? {};
      assert.equal(
        detail,
        'not checked: appendfsync; it does not allow its user a command or a key that is needed: docs/deploy.md',
      );
    });
  });
});
