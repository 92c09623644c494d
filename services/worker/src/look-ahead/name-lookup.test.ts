import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createReadBudget } from '@diq/quota/reads/read-budget.ts';
import { createRequestList } from '@diq/queue/requests/list-requests.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createReadNeeds } from '../scheduling/queue-needs.ts';
import { newMachineId } from '../test-support/open-bench.ts';
import { hourMs } from '../test-support/loop-world.ts';
import { useLookAhead } from '../test-support/use-look-ahead.ts';

let names = 0;
const newName = () => `pc-${(names += 1)}.contoso.example`;
const daysAgo = (days: number) => new Date(Date.now() - days * 24 * hourMs).toISOString();

describe('names of machines', () => {
  const redis = useEmbeddedRedis();
  const suite = useLookAhead(redis);
  const accept = (item: object) => suite.bench.accept({ machineId: undefined, ...item });
  const read = ({ requestId }: { requestId: string }) => suite.bench.read(requestId);
  /** A machine that Defender knows by this name. */
  async function machineNamed(computerDnsName: string, more: object = {}): Promise<string> {
    const id = newMachineId();
    await suite.simulator.addMachine({ id, computerDnsName, lastSeen: daysAgo(0), ...more });
    return id;
  }
  const countJobs = () => suite.worker.jobs.countAll();

  it('are looked up, and their requests take their place with the machine that was found', async () => {
    const machineName = newName();
    const machineId = await machineNamed(machineName);
    const [one, other] = [await accept({ machineName }), await accept({ machineName })];
    const before = await read(one);
    assert.deepEqual(
      [before.machineName, before.machineId, before.status],
      [machineName, undefined, 'queued'],
    );
    assert.equal(await countJobs(), 0, 'no slot is spent on a name');
    await suite.lookUpNames();
    for (const request of [one, other]) {
      const found = await read(request);
      assert.deepEqual([found.machineName, found.machineId], [machineName, machineId]);
    }
    assert.equal(await countJobs(), 1);
    const { requests } = await createRequestList(suite.bench.redis, suite.bench.keySpace).page(
      { machineId },
      10,
    );
    assert.deepEqual(
      requests.map(({ document }) => document.id).toSorted(),
      [one.requestId, other.requestId].toSorted(),
    );
    await suite.worker.serveNext();
    assert.deepEqual([(await read(one)).status, (await read(other)).status], ['started', 'started']);
    assert.equal(await suite.simulator.callsFor(machineId), 1);
  });

  it('are found by the id of the device in Entra ID as well', async () => {
    const aadDeviceId = randomUUID();
    const machineId = await machineNamed(newName(), { aadDeviceId });
    const request = await accept({ aadDeviceId });
    await suite.lookUpNames();
    const found = await read(request);
    assert.deepEqual([found.aadDeviceId, found.machineId], [aadDeviceId, machineId]);
  });

  it('share the call of an open task of their machine, which takes over the better place', async () => {
    const machineName = newName();
    const machineId = await machineNamed(machineName);
    const byId = await suite.bench.accept({ machineId, priority: 'low' });
    const [one, other] = [await accept({ machineName, priority: 'high' }), await accept({ machineName })];
    await suite.bench.accept({ machineId: newMachineId(), priority: 'medium' });
    await suite.lookUpNames();
    const { coalescedWith, machineId: found } = await read(one);
    assert.deepEqual([coalescedWith, found], [byId.requestId, machineId]);
    assert.equal(await suite.worker.jobs.next(), byId.taskId);
    assert.equal(await suite.worker.tasks.classOf(byId.taskId), 'high');
    assert.equal(await suite.worker.tasks.countWaiting(), 2);
    await suite.worker.serveNext();
    const documents = await Promise.all([byId, one, other].map(read));
    assert.equal(new Set(documents.map(({ investigationId }) => investigationId)).size, 1);
    assert.ok(documents.every(({ status }) => status === 'started'));
  });

  it('share a call that is under way, and its outcome', async () => {
    const machineName = newName();
    const machineId = await machineNamed(machineName);
    const byId = await suite.bench.accept({ machineId });
    await suite.worker.tasks.begin(byId.taskId, 'call-1');
    const request = await accept({ machineName });
    await suite.lookUpNames();
    assert.equal((await read(request)).status, 'dispatching');
    const result = { kind: 'investigation', id: '7' } as const;
    await suite.worker.tasks.settle(byId.taskId, 'call-1', { status: 'started', result, attempts: 1 });
    const { status, investigationId } = await read(request);
    assert.deepEqual([status, investigationId], ['started', '7']);
  });

  it('wait where the call of their machine has no room for them', async () => {
    const machineName = newName();
    const machineId = await machineNamed(machineName);
    await suite.bench.accept({ machineId });
    const request = await accept({ machineName });
    await suite.lookUpNames({ maxJoined: 0 });
    const { status, machineId: found } = await read(request);
    assert.deepEqual([status, found], ['queued', undefined]);
  });

  it('stand for the newest active record, where the others are old, not active, or merged', async () => {
    const machineName = newName();
    await machineNamed(machineName, { lastSeen: daysAgo(5) });
    await machineNamed(machineName, { healthStatus: 'Inactive' });
    await machineNamed(machineName, { mergedIntoMachineId: newMachineId() });
    const machineId = await machineNamed(machineName);
    const request = await accept({ machineName });
    await suite.lookUpNames();
    assert.equal((await read(request)).machineId, machineId);
  });

  it('fail with the records that leave it open, and guess nothing', async () => {
    const [twice, inactive, unknown] = [newName(), newName(), newName()];
    const first = await machineNamed(twice, { lastSeen: daysAgo(1) });
    const second = await machineNamed(twice);
    const old = await machineNamed(inactive, { healthStatus: 'Inactive' });
    const requests = [];
    for (const machineName of [twice, inactive, unknown]) requests.push(await accept({ machineName }));
    await suite.lookUpNames();
    const errors = (await Promise.all(requests.map(read))).map(({ status, error }) => [
      status,
      error?.code,
      error?.candidates?.map(({ machineId }) => machineId),
    ]);
    assert.deepEqual(errors, [
      ['failed', 'machine_name_ambiguous', [second, first]],
      ['failed', 'machine_name_unknown', [old]],
      ['failed', 'machine_name_unknown', undefined],
    ]);
    assert.equal(await suite.bench.redis.exists(suite.bench.keys.unresolved), 0);
  });

  it('are looked up by one read for many, and one by one where that is refused', async () => {
    const requests = [];
    for (let i = 0; i < 3; i += 1) {
      const machineName = newName();
      await machineNamed(machineName);
      requests.push(await accept({ machineName }));
    }
    const refused = { kind: 'status', status: 400, body: { error: { code: 'ODataError', message: 'in' } } };
    await suite.simulator.addFault({ target: 'read', when: { read: 'listMachines' }, action: refused });
    await suite.lookUpNames();
    assert.equal((await suite.reads()).length, 4);
    for (const request of requests) assert.ok((await read(request)).machineId);
  });

  it("are ended by no answer but Defender's own, and their requests say why they wait", async () => {
    for (const [status, code] of [
      [403, 'name_reads_forbidden'],
      [404, 'name_reads_failing'],
      [500, 'name_reads_failing'],
    ] as const) {
      const request = await accept({ machineName: newName() });
      const action = { kind: 'status', status, body: '<html>' };
      await suite.simulator.addFault({ target: 'read', when: { read: 'listMachines' }, action });
      await suite.lookUpNames();
      const { status: state, warnings } = await read(request);
      assert.deepEqual([state, warnings?.map((one) => one.code)], ['queued', [code]]);
      await suite.worker.tasks.endWaiting(request.taskId, { status: 'cancelled', attempts: 0 });
    }
    const budget = createReadBudget({
      redis: redis.client,
      tenantId: randomUUID(),
      limits: [{ calls: 1, windowMs: hourMs }],
      timeoutMs: 10_000,
    });
    await budget.take();
    const request = await accept({ machineName: newName() });
    await suite.lookUpNames({ budget });
    assert.deepEqual(
      (await read(request)).warnings?.map(({ code }) => code),
      ['name_reads_used_up'],
    );
  });

  it('leave nothing behind where their request is cancelled before', async () => {
    const request = await accept({ machineName: newName() });
    await suite.worker.tasks.endWaiting(request.taskId, { status: 'cancelled', attempts: 0 });
    assert.equal(await suite.bench.redis.exists(suite.bench.keys.unresolved), 0);
    assert.equal(await suite.bench.redis.exists(suite.bench.keys.machines), 0);
    await suite.lookUpNames();
    assert.deepEqual(await suite.reads(), []);
  });

  it('neither get a job from the search for missing ones nor keep it going, and are counted for themselves', async () => {
    const { redis: connection, keySpace } = suite.bench;
    const { taskId } = await accept({ machineName: newName() });
    for (let i = 0; i < 3; i += 1) assert.deepEqual(await suite.worker.requeueMissingJobs(), { suspects: 0 });
    assert.equal(await countJobs(), 0);
    const { ready, claimed, waiting, blocked, unresolved } = await createReadNeeds(connection, keySpace)();
    assert.deepEqual([ready, claimed, waiting, blocked, unresolved], [0, 0, 1, 0, 1]);
    // As where a worker ends after it stored the machine and before it added the job.
    await connection.zrem(suite.bench.keys.unresolved, taskId);
    await connection.hset(suite.bench.keys.task(taskId), 'machine', newMachineId());
    for (let i = 0; i < 2; i += 1) await suite.worker.requeueMissingJobs();
    assert.equal(await countJobs(), 1);
  });
});
