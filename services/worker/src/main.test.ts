import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { keySpace } from '@diq/contracts/operations.ts';
import { createLedger } from '@diq/quota/ledger/ledger.ts';
import { layoutVersion } from '@diq/queue/layout.ts';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { version } from '@diq/runtime/build-info.ts';
import { findFreePort } from '@diq/runtime/processes/free-port.ts';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { flood } from '@diq/testing/flood.ts';
import { startWorker, stopAll } from '@diq/testing/service-process.ts';
import { makeCertificate } from './defender/test-support/certificate.ts';
import { waitFor } from '@diq/testing/wait-for.ts';

const identity = { WORKER_HOST: '127.0.0.1', AZURE_TENANT_ID: randomUUID(), AZURE_CLIENT_ID: randomUUID() };
const secret = 'the-secret-of-the-application';

describe('the worker as a process', () => {
  after(stopAll);

  it('ends with exit code 78 and the reason when its certificate cannot be used, before it looks for Redis', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'diq-worker-main-'));
    const path = join(folder, 'certificate.pem');
    const start = () =>
      startWorker({ ...identity, REDIS_URL: 'redis://127.0.0.1:1', AZURE_CLIENT_CERTIFICATE_PATH: path });
    await assert.rejects(start(), /ended \(78\)[^]*AZURE_CLIENT_CERTIFICATE_PATH: the file cannot be read/);
    await writeFile(path, '-----BEGIN PRIVATE KEY-----\nc2VjcmV0LWtleQ==\n-----END PRIVATE KEY-----\n');
    await assert.rejects(start(), (error: Error) => {
      assert.match(error.message, /ended \(78\)[^]*private key or certificate is missing/);
      assert.doesNotMatch(error.message, /c2VjcmV0/);
      return true;
    });
    await rm(folder, { recursive: true });
  });

  it('ends with all faults at once: its settings, its certificate, and the check of certificates by Node', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'diq-worker-main-'));
    const path = join(folder, 'certificate.pem');
    const { key, cert } = await makeCertificate('worker', { to: new Date('2020-01-01T00:00:00Z') });
    await writeFile(path, `${key}\n${cert}`);
    const env = {
      ...identity,
      AZURE_CLIENT_ID: 'x',
      REDIS_URL: 'redis://127.0.0.1:1',
      AZURE_CLIENT_CERTIFICATE_PATH: path,
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    };
    await assert.rejects(startWorker(env), (error: Error) => {
      assert.match(error.message, /ended \(78\)/);
      assert.match(error.message, /NODE_TLS_REJECT_UNAUTHORIZED: /);
      assert.match(error.message, /AZURE_CLIENT_ID: /);
      assert.match(error.message, /AZURE_CLIENT_CERTIFICATE_PATH: the certificate has expired/);
      return true;
    });
    await rm(folder, { recursive: true });
  });

  describe('with a Redis of its own', () => {
    let redis: RedisServer;
    before(requireRedisServer);
    beforeEach('start Redis', async () => {
      redis = await startRedisServer();
    });
    afterEach('stop Redis', () => redis?.stop());

    const start = async () =>
      startWorker({
        ...identity,
        REDIS_URL: redis.url,
        AZURE_CLIENT_SECRET: secret,
        // No server is there: no call is to be made.
        DEFENDER_BASE_URL: `http://127.0.0.1:${await findFreePort()}`,
        QUOTA_COLD_START: 'open',
        HTTPS_PROXY: 'http://user:proxy-password@proxy.example:3128',
        ALL_PROXY: 'socks5://user:proxy-password@proxy.example',
      });

    it('says at its start through which proxy it goes and which setting is not used, without the password', async () => {
      const worker = await start();
      assert.match(worker.output(), /"proxy":"http:\/\/proxy\.example:3128".*reached by a proxy/);
      assert.match(
        worker.output(),
        /"level":"warn".*"settings":\["ALL_PROXY"\].*not read: intake and worker read HTTPS_PROXY/,
      );
      assert.doesNotMatch(worker.output(), /proxy-password/);
      assert.equal((await worker.stop()).code, 0);
    });

    it('answers /readyz with the version of the service', async () => {
      const worker = await start();
      const answer = await fetch(`http://127.0.0.1:${worker.ready.port}/readyz`);
      assert.equal(((await answer.json()) as { version: string }).version, version);
      assert.equal((await worker.stop()).code, 0);
    });

    it('does not start on data of a newer version, and calls nothing once it finds it while it runs', async () => {
      const client = new Redis(redis.url);
      const owner = { tenantId: identity.AZURE_TENANT_ID, operation: 'initiateInvestigation' } as const;
      const { layout } = storeKeys(keySpace(owner));
      const worker = await start();
      assert.equal(await client.getset(layout, '999'), String(layoutVersion));
      await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      assert.deepEqual(await worker.exited, { code: 1, signal: null });
      assert.match(worker.output(), /"level":"fatal".*layout 999.*Redis holds another layout/);
      await assert.rejects(start(), /ended \(1\)[^]*layout 999[^]*could not start/);
      client.disconnect();
    });

    it('warns at its start that this Redis is not durable', async () => {
      const worker = await start();
      assert.match(worker.output(), /"level":"warn".*"setting":"appendonly","found":"no","expected":"yes"/);
      assert.equal((await worker.stop()).code, 0);
    });

    it('ends connections with many requests behind one on its port, says so, and goes on', async () => {
      const worker = await start();
      const { port } = worker.ready;
      const live = async () => (await fetch(`http://127.0.0.1:${port}/livez`)).status;
      assert.equal(await live(), 200);
      for (const path of ['/metrics', '/readyz', '/none']) {
        const clients = await flood({ port, path, requests: 1_000, connections: 5 });
        await clients.untilEnded();
      }
      const ended = () => worker.output().match(/too_many_pipelined_requests.*connection ended/g)?.length;
      await waitFor(() => ended() === 15, { what: 'a line for each connection' });
      assert.equal(await live(), 200);
      assert.equal((await worker.stop()).code, 0);
    });

    it('is seen to be gone as soon as it was stopped, not only once it is missed', async () => {
      const client = new Redis(redis.url);
      const space = keySpace({ tenantId: identity.AZURE_TENANT_ID, operation: 'initiateInvestigation' });
      const quota = { limits: [{ calls: 5, windowMs: 3_600_000 }], callTimeoutMs: 30_000 };
      const ledger = createLedger(client, space, quota);
      const alive = async () => (await ledger.snapshot()).workers?.alive;
      const worker = await start();
      await waitFor(async () => (await alive()) === 1, { what: 'the worker to be seen' });
      assert.equal((await worker.stop()).code, 0);
      // A process that is missed counts for ten seconds more.
      await waitFor(async () => (await alive()) === 0, { what: 'it to be gone', timeoutMs: 5_000 });
      client.disconnect();
    });

    it('ends in order and within the time of a supervisor while Redis hangs, with one line about it', async () => {
      const worker = await start();
      await redis.kill('SIGSTOP');
      const linesAbout = () => worker.output().match(/polling queue and ledger.*failed/g)?.length ?? 0;
      await waitFor(() => linesAbout() > 0, { what: 'the outage to be noticed', timeoutMs: 5_000 });
      const startedAtMs = performance.now();
      const exit = await worker.stop('SIGTERM', 20_000);
      const tookMs = performance.now() - startedAtMs;
      assert.deepEqual(exit, { code: 0, signal: null }, worker.output());
      assert.ok(tookMs < 9_000, `${Math.round(tookMs)} ms`);
      assert.equal(linesAbout(), 1);
    });
  });
});
