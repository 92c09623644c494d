import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { makeCertificate } from '@diq/worker/defender/test-support/certificate.ts';
import { openTenantsWorld, type TenantSite, type TenantsWorld } from './support/tenants.ts';

describe('one worker in front of many queues', function () {
  this.timeout(120_000);
  let server: RedisServer;
  let world: TenantsWorld;
  let busy: TenantSite;
  let calm: TenantSite;
  before(requireRedisServer);
  before('start Redis and two Defenders', async () => {
    server = await startRedisServer();
    world = await openTenantsWorld(server.url);
    busy = await world.addSite('busy', 60, 10_000);
    calm = await world.addSite('calm', 5, 2_000);
  });
  after(async () => {
    await world?.close();
    await server?.stop();
  });

  const clients = async (): Promise<string[]> => {
    const list = String(await world.redis.client('LIST'));
    return list.split('\n').filter((line) => / name=diq-worker/.test(line));
  };
  /** Commands since Redis started, those in scripts included. */
  async function commandsUntilNow(ofName = /cmdstat_(?!info|client)/): Promise<number> {
    const stats = await world.redis.info('commandstats');
    const lines = stats.split('\n').filter((line) => ofName.test(line));
    return lines.reduce((sum, line) => sum + Number(/calls=(\d+)/.exec(line)?.[1] ?? 0), 0);
  }
  /** Queues that were asked for work by a sweep: fifty with one command, while they have no ledger. */
  const sweptUntilNow = async () => 50 * (await commandsUntilNow(/^cmdstat_exists:/));
  const callsOf = async ({ control }: TenantSite) => (await control.calls()).calls.length;

  it('holds as many connections to Redis for 300 queues as for one', async () => {
    await world.writeTenants([calm.entry]);
    const one = await world.startWorker();
    const before = await waitFor(
      async () => {
        const found = await clients();
        return found.length >= 5 ? found : undefined;
      },
      { what: 'all connections' },
    );
    await one.stop();
    await waitFor(async () => (await clients()).length === 0, { what: 'them to be closed' });
    const swept = await sweptUntilNow();
    await world.writeTenants([calm.entry, ...(await world.idleTenants(299))]);
    const many = await world.startWorker();
    await waitFor(async () => (await sweptUntilNow()) >= swept + 300, { what: 'the first sweep' });
    const called = await callsOf(calm);
    await world.queueOf(calm.entry).accept(1);
    await calm.control.untilCalls(called + 1);
    const after = await clients();
    assert.equal(after.length, before.length, after.join('\n'));
    assert.ok(after.length <= 12);
    await many.stop();
  });

  describe('of which a thousand have nothing to do', () => {
    let worker: Awaited<ReturnType<TenantsWorld['startWorker']>>;
    let sweptBefore = 0;
    before(async () => {
      // What was started before has ended: a result that is followed is something to do.
      const followed = await world.redis.keys('*:results');
      if (followed.length > 0) await world.redis.del(...followed);
      sweptBefore = await sweptUntilNow();
      await world.writeTenants([busy.entry, calm.entry, ...(await world.idleTenants(998))]);
      worker = await world.startWorker();
    });

    it('asks Redis 10 commands a second at the most', async () => {
      // That of all at the start.
      await waitFor(async () => (await sweptUntilNow()) >= sweptBefore + 1_000, { what: 'the first sweep' });
      const [before, swept] = [await commandsUntilNow(), await sweptUntilNow()];
      const fromMs = performance.now();
      await delay(8_000);
      const perSecond = ((await commandsUntilNow()) - before) / ((performance.now() - fromMs) / 1_000);
      assert.ok((await sweptUntilNow()) > swept, 'the sweep goes on');
      assert.ok(perSecond <= 10, `${perSecond} a second`);
    });

    it('notices a request by a message, at once', async () => {
      const before = await callsOf(calm);
      const fromMs = performance.now();
      await world.queueOf(calm.entry).accept(1);
      await calm.control.untilCalls(before + 1, 5_000);
      const tookMs = performance.now() - fromMs;
      assert.ok(tookMs < 3_000, `${tookMs} ms`);
    });

    it('makes up for lost messages when its subscription comes back', async () => {
      const before = await callsOf(calm);
      await world.queueOf(calm.entry, { isSilent: true }).accept(1);
      const subscriber = (await clients()).find((line) => line.includes('name=diq-worker-wakes'));
      const id = Number(/^id=(\d+)/.exec(subscriber ?? '')?.[1]);
      await world.redis.client('KILL', 'ID', id);
      await calm.control.untilCalls(before + 1, 10_000);
    });

    it('lets no burst in one queue delay the call that is due in another', async () => {
      const before = { busy: await callsOf(busy), calm: await callsOf(calm) };
      const burst = world.queueOf(busy.entry).accept(60);
      await busy.control.untilCalls(before.busy + 5, 20_000);
      const fromMs = performance.now();
      await world.queueOf(calm.entry).accept(1);
      await calm.control.untilCalls(before.calm + 1, 10_000);
      const tookMs = performance.now() - fromMs;
      await burst;
      await busy.control.untilCalls(before.busy + 60, 20_000);
      assert.ok(tookMs < 3_000, `${tookMs} ms`);
      assert.ok((await busy.control.calls()).maxInAnyWindow <= 60);
    });

    it('stops within 10 s, and finishes the call that is in flight', async () => {
      const before = await callsOf(calm);
      await calm.control.addFault({ target: 'start', times: 1, action: { kind: 'delay', ms: 1_000 } });
      const queue = world.queueOf(calm.entry);
      const [id = ''] = await queue.accept(1);
      await calm.control.untilCalls(before + 1, 10_000);
      const fromMs = performance.now();
      const exit = await worker.stop('SIGTERM', 15_000);
      const tookMs = performance.now() - fromMs;
      assert.deepEqual(exit, { code: 0, signal: null });
      assert.ok(tookMs < 10_000, `${tookMs} ms`);
      assert.equal(await queue.statusOf(id), 'started');
    });
  });

  describe('whose tenants change', () => {
    it('serves one that is added, and calls no more for one that is removed, without a restart', async () => {
      await world.writeTenants([busy.entry]);
      const worker = await world.startWorker();
      const before = { busy: await callsOf(busy), calm: await callsOf(calm) };
      await world.writeTenants([calm.entry]);
      await waitFor(() => /tenants changed/.test(worker.output()), { what: 'the change to be seen' });
      await world.queueOf(calm.entry).accept(1);
      await calm.control.untilCalls(before.calm + 1, 10_000);
      const left = world.queueOf(busy.entry);
      const [id = ''] = await left.accept(1);
      // What is accepted later for the other tenant, one after the other, is called.
      for (const calls of [2, 3]) {
        await world.queueOf(calm.entry).accept(1);
        await calm.control.untilCalls(before.calm + calls, 10_000);
      }
      assert.equal(await left.statusOf(id), 'queued');
      assert.equal(await callsOf(busy), before.busy);
      await worker.stop();
    });

    it('warns of a certificate that expires soon, also where its tenant is added', async () => {
      await world.writeTenants([calm.entry]);
      const worker = await world.startWorker();
      const { key, cert } = await makeCertificate('idle', { to: new Date(Date.now() + 10 * 86_400_000) });
      const certificateFile = await world.secretFile(`${key}\n${cert}`);
      const added = (await world.idleTenants(1)).map((entry) => ({ ...entry, certificateFile }));
      await world.writeTenants([calm.entry, ...added]);
      const warning = /"tenant":"idle-0".*"the certificate for Entra ID expires soon"/;
      await waitFor(() => warning.test(worker.output()), { what: 'the warning' });
      await worker.stop();
    });

    it('calls for a tenant while another one has a wrong secret', async () => {
      const wrong = { ...busy.entry, secretFile: await world.secretFile(randomUUID()) };
      await world.writeTenants([wrong, calm.entry]);
      const worker = await world.startWorker();
      const before = { busy: await callsOf(busy), calm: await callsOf(calm) };
      await world.queueOf(wrong).accept(1);
      await waitFor(() => /"tenant":"busy".*"reason":"no_token"/.test(worker.output()), {
        what: 'the hold of the tenant with the wrong secret',
        timeoutMs: 20_000,
      });
      await world.queueOf(calm.entry).accept(1);
      await calm.control.untilCalls(before.calm + 1, 10_000);
      assert.equal(await callsOf(busy), before.busy);
      await worker.stop();
    });
  });

  it('does not serve the one queue that another version wrote, says so, and serves the others', async () => {
    const foreign = { ...busy.entry, tenantId: randomUUID(), name: 'foreign' };
    const { layout } = storeKeys(world.queueOf(foreign).keySpace);
    await world.redis.set(layout, '999');
    await world.writeTenants([foreign, calm.entry]);
    const worker = await world.startWorker();
    const before = { busy: await callsOf(busy), calm: await callsOf(calm) };
    await world.queueOf(foreign).accept(1);
    const refused = async () => {
      const answer = await fetch(`http://127.0.0.1:${worker.ready.port}/readyz`);
      const { checks } = (await answer.json()) as { checks: Record<string, string> };
      return answer.status === 200 && checks['notServed']?.includes('foreign/initiateInvestigation');
    };
    await waitFor(refused, { what: 'readiness to name it', timeoutMs: 20_000 });
    assert.match(
      worker.output(),
      /"level":"error","[^\n]*"tenant":"foreign"[^\n]*layout 999[^\n]*queue not served/,
    );
    for (const calls of [1, 2]) {
      await world.queueOf(calm.entry).accept(1);
      await calm.control.untilCalls(before.calm + calls, 10_000);
    }
    assert.equal(await world.redis.get(layout), '999');
    assert.equal(await callsOf(busy), before.busy);
    assert.equal((await worker.stop()).code, 0);
  });

  it('finishes the calls of a worker that died, in all its queues', async () => {
    await world.writeTenants([busy.entry, calm.entry]);
    const dying = await world.startWorker();
    const hang = { target: 'start', times: 1, action: { kind: 'hang' } };
    const sites = [busy, calm];
    // What earlier tests left waiting goes first, and their calls come to an end.
    const atRest = async () => {
      const keys = sites.flatMap(({ entry }) => {
        const { keySpace } = world.queueOf(entry);
        return [`${keySpace}:waiting`, `${keySpace}:in_flight`];
      });
      return (await world.redis.exists(...keys)) === 0;
    };
    await waitFor(atRest, { what: 'the rest to be called', timeoutMs: 60_000, intervalMs: 200 });
    const before = await Promise.all(sites.map(callsOf));
    for (const { control } of sites) await control.addFault(hang);
    const queues = sites.map(({ entry }) => world.queueOf(entry));
    const ids = await Promise.all(queues.map((queue) => queue.accept(1)));
    await Promise.all(sites.map(({ control }, i) => control.untilCalls((before[i] ?? 0) + 1, 20_000)));
    dying.kill('SIGKILL');
    const heir = await world.startWorker();
    for (const [i, queue] of queues.entries()) {
      await waitFor(async () => (await queue.statusOf(ids[i]?.[0] ?? '')) === 'unknown', {
        what: 'the request to end',
        timeoutMs: 40_000,
      });
    }
    await heir.stop();
  });

  // The last of all: it leaves them waiting.
  describe('of which one is crowded', () => {
    it('calls for a tenant at once while 100,000 requests of another one wait, whose Defender hangs', async () => {
      await world.writeTenants([busy.entry, calm.entry]);
      const worker = await world.startWorker();
      await busy.control.addFault({ target: 'start', times: null, action: { kind: 'hang' } });
      const [crowded, before] = [world.queueOf(busy.entry), await callsOf(busy)];
      for (let batch = 0; batch < 10; batch += 1) await crowded.accept(10_000);
      await busy.control.untilCalls(before + 1, 20_000);
      const queue = world.queueOf(calm.entry);
      for (let call = 0; call < 3; call += 1) {
        const made = await callsOf(calm);
        const acceptedAtMs = performance.now();
        await queue.accept(1);
        await calm.control.untilCalls(made + 1, 10_000);
        // A slow machine is given time; a queue that waited for the other would wait for the time of its calls.
        assert.ok(performance.now() - acceptedAtMs < 4_000, 'later than a call of the other tenant takes');
      }
      worker.kill('SIGKILL');
    });
  });
});
