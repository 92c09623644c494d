import assert from 'node:assert/strict';
import { operationQuotas, type OperationName } from '@diq/contracts/operations.ts';
import { createRememberedTenants } from '@diq/tenants/remembered-tenants.ts';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { openTenantsWorld, type TenantSite, type TenantsWorld } from './support/tenants.ts';

const both = ['initiateInvestigation', 'startInvestigation'] as const;
/** Defender takes the call, and its answer never comes. */
const lost = { target: 'start', times: 1, action: { kind: 'hang', made: true } };

describe('calls whose answer was lost, of what is taken out of the file of tenants meanwhile', function () {
  this.timeout(120_000);
  let server: RedisServer;
  let world: TenantsWorld;
  let leaving: TenantSite;
  let staying: TenantSite;
  before(requireRedisServer);
  before('start Redis and two Defenders', async () => {
    server = await startRedisServer();
    world = await openTenantsWorld(server.url);
    leaving = await world.addSite('leaving', 60, 10_000);
    staying = await world.addSite('staying', 60, 10_000);
  });
  after(async () => {
    await world?.close();
    await server?.stop();
  });

  /** One request whose call has arrived at Defender. */
  async function loseOne(site: TenantSite, operation: OperationName = 'initiateInvestigation') {
    const { calls } = await site.control.calls();
    await site.control.addFault(lost);
    const queue = world.queueOf(site.entry, { operation });
    const [id = ''] = await queue.accept(1);
    await site.control.untilCalls(calls.length + 1, 20_000);
    return {
      untilOver: () =>
        waitFor(
          async () => {
            const document = await queue.documentOf(id);
            return document?.status === 'dispatching' ? undefined : document;
          },
          { what: 'the request to end', timeoutMs: 60_000, intervalMs: 100 },
        ),
    };
  }

  /** As an intake does that has the file. */
  async function remember(site: TenantSite, operations: readonly OperationName[]): Promise<void> {
    const { name, tenantId } = site.entry;
    const rules = operations.map(
      (operation) => [operation, { ...operationQuotas[operation], reserveForCritical: 0 }] as const,
    );
    const tenant = { name, tenantId, defaultOperation: both[0], operations: new Map(rules) };
    await createRememberedTenants(world.redis, 3_600_000).meet([tenant], Date.now());
  }

  it('are looked up by the worker that served the tenant, which calls for it again when it comes back', async () => {
    await world.writeTenants([leaving.entry, staying.entry]);
    const worker = await world.startWorker();
    const one = await loseOne(leaving);
    await world.writeTenants([staying.entry]);
    const { status, result } = await one.untilOver();
    assert.deepEqual([status, result?.kind], ['started', 'investigation']);
    const scrape = async () => (await fetch(`http://127.0.0.1:${worker.ready.port}/metrics`)).text();
    await waitFor(async () => !(await scrape()).includes('tenant="leaving"'), { what: 'its series to go' });
    assert.match(await scrape(), /tenant="staying"/);
    const other = await loseOne(staying);
    await world.writeTenants([leaving.entry]);
    await world.writeTenants([leaving.entry, staying.entry]);
    const { calls } = await leaving.control.calls();
    await world.queueOf(leaving.entry).accept(1);
    await leaving.control.untilCalls(calls.length + 1, 20_000);
    assert.match(
      await scrape(),
      /diq_reconciliations_total{tenant="leaving",.*outcome="found"} 0\n/,
      'from zero',
    );
    assert.equal((await other.untilOver()).status, 'started');
    await worker.stop();
  });

  it('are looked up where only the operation is gone, also by a worker that starts later', async () => {
    const entry = { ...leaving.entry, operations: both };
    await world.writeTenants([entry]);
    const worker = await world.startWorker();
    const one = await loseOne(leaving, 'startInvestigation');
    await world.writeTenants([leaving.entry]);
    assert.equal((await one.untilOver()).status, 'started');
    await world.writeTenants([entry]);
    const two = await loseOne(leaving, 'startInvestigation');
    worker.kill('SIGKILL');
    await worker.exited;
    await remember(leaving, both);
    await world.writeTenants([leaving.entry]);
    const heir = await world.startWorker();
    assert.equal((await two.untilOver()).status, 'started');
    await heir.stop();
  });

  it('leave nothing behind: what still waits expires at its deadline', async () => {
    const site = await world.addSite('slow', 1, 3_600_000);
    await world.writeTenants([site.entry]);
    const worker = await world.startWorker();
    const queue = world.queueOf(site.entry);
    await queue.accept(1);
    await site.control.untilCalls(1, 20_000);
    const [id = ''] = await queue.accept(1, { notAfter: new Date(Date.now() + 8_000).toISOString() });
    await world.writeTenants([staying.entry]);
    await waitFor(() => /tenants changed/.test(worker.output()), { what: 'the change to be seen' });
    assert.equal(await queue.statusOf(id), 'queued');
    await waitFor(async () => (await queue.statusOf(id)) === 'expired', {
      what: 'the deadline to pass',
      timeoutMs: 60_000,
    });
    await worker.stop();
  });

  it('end as unknown, and say why, where a worker that starts later has no credential any more', async () => {
    await world.writeTenants([leaving.entry, staying.entry]);
    const worker = await world.startWorker();
    const one = await loseOne(leaving);
    worker.kill('SIGKILL');
    await worker.exited;
    await remember(leaving, both);
    await world.writeTenants([staying.entry]);
    const heir = await world.startWorker();
    const { status, error } = await one.untilOver();
    assert.deepEqual([status, error?.code], ['unknown', 'call_interrupted']);
    assert.match(
      error?.message ?? '',
      /could not be asked, because its tenant or operation is no longer in the settings/,
    );
    await heir.stop();
  });

  it('keep no other tenant waiting that changes at the same time', async () => {
    await world.writeTenants([leaving.entry, staying.entry]);
    const worker = await world.startWorker({ DEFENDER_CALL_TIMEOUT: '20s' });
    await loseOne(leaving);
    const { calls } = await staying.control.calls();
    await world.writeTenants([leaving.entry, staying.entry].map((entry) => ({ ...entry, calls: 59 })));
    await waitFor(() => /tenants changed/.test(worker.output()), { what: 'the change to be seen' });
    await world.queueOf(staying.entry).accept(1);
    // In less time than the call takes that has no answer.
    await staying.control.untilCalls(calls.length + 1, 8_000);
    worker.kill('SIGKILL');
    await worker.exited;
  });
});
