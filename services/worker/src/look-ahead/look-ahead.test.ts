import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createReadBudget } from '@diq/quota/reads/read-budget.ts';
import { oneLimit } from '@diq/quota/test-support/one-limit.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { newMachineId } from '../test-support/open-bench.ts';
import { countByLabel } from '../test-support/count-by-label.ts';
import { hourMs } from '../test-support/loop-world.ts';
import type { LookAhead } from './look-ahead.ts';
import { freeSlotsView, useLookAhead } from '../test-support/use-look-ahead.ts';

const unknownId = () => `dead${newMachineId().slice(4)}`;

describe('a look ahead of calls', () => {
  const redis = useEmbeddedRedis();
  const suite = useLookAhead(redis);
  const accept = (machineId: string, more: object = {}) => suite.bench.accept({ machineId, ...more });
  const statusOf = async ({ requestId }: { requestId: string }) => (await suite.bench.read(requestId)).status;

  it('ends requests whose machine Defender does not know, without a call, a permit or a job', async () => {
    const machineId = unknownId();
    const [one, other] = [await accept(machineId), await accept(machineId)];
    await suite.look();
    for (const { requestId } of [one, other]) {
      const { status, error, attempts, result } = await suite.bench.read(requestId);
      assert.deepEqual([status, error?.code, attempts, result], ['failed', 'machine_unknown', 0, undefined]);
    }
    assert.equal(await suite.worker.jobs.countAll(), 0);
    assert.equal(await suite.worker.used(), 0);
    assert.deepEqual(await countByLabel(suite.metrics.slotsSaved), { machine_unknown: 1 });
  });

  it('ends requests whose machine is under investigation with that investigation, attached', async () => {
    const machineId = newMachineId();
    const { id } = await suite.simulator.addInvestigation({ machineId });
    const request = await accept(machineId);
    await suite.look();
    const { status, result, attempts } = await suite.bench.read(request.requestId);
    const attached = { kind: 'investigation', id, attached: true };
    assert.deepEqual([status, result, attempts], ['started', attached, 0]);
    assert.deepEqual(await countByLabel(suite.metrics.slotsSaved), { already_covered: 1 });
    assert.equal(await suite.simulator.callsFor(machineId), 0);
    // It began at a time of its own, so what comes later is looked up again.
    assert.equal(await suite.bench.redis.exists(suite.bench.keys.machineRecent(machineId)), 0);
  });

  it('takes nothing for a cover that has ended, whose state says nothing, or that is of another machine', async () => {
    const startTime = new Date(Date.now() - hourMs).toISOString();
    for (const order of [
      { startTime },
      { state: 'Unknown' },
      { state: 'SomethingNew' },
      { state: 'Benign' },
    ]) {
      const machineId = newMachineId();
      await suite.simulator.addInvestigation({ machineId, ...order });
      const request = await accept(machineId);
      await suite.look();
      assert.equal(await statusOf(request), 'queued', JSON.stringify(order));
    }
    await suite.simulator.addInvestigation({ machineId: newMachineId() });
    const request = await accept(newMachineId());
    await suite.look();
    assert.equal(await statusOf(request), 'queued');
  });

  it('leaves a request its own investigation that was asked for by force, also by one that joined', async () => {
    const [first, joined] = [newMachineId(), newMachineId()];
    for (const machineId of [first, joined]) await suite.simulator.addInvestigation({ machineId });
    const forced = await accept(first, { force: true });
    const shared = await accept(joined);
    await accept(joined, { force: true });
    await suite.look();
    assert.deepEqual([await statusOf(forced), await statusOf(shared)], ['queued', 'queued']);
  });

  it('looks at several tasks by one read of each list, and at a machine alone only if the list lacks it', async () => {
    const [known, missing] = [newMachineId(), unknownId()];
    for (const machineId of [known, missing]) await accept(machineId);
    await suite.look();
    assert.deepEqual(await suite.reads(), ['getMachine', 'listInvestigations', 'listMachines']);
  });

  it('looks at no more tasks than slots open soon, and not again while the look counts', async () => {
    const requests = [await accept(unknownId()), await accept(unknownId())];
    await accept(newMachineId());
    await suite.look({ slots: 1 });
    assert.deepEqual(await Promise.all(requests.map(statusOf)), ['failed', 'queued']);
    await suite.look({ slots: 1 });
    await suite.look({ slots: 1 });
    const before = await suite.reads();
    await suite.look({ slots: 1 });
    assert.deepEqual(await suite.reads(), before, 'the one that is next was seen');
  });

  it('leaves slots that are kept for critical requests to them', async () => {
    const usual = await accept(unknownId());
    const critical = await accept(unknownId(), { priority: 'critical' });
    await suite.look({ slots: 1, reserve: 1 });
    assert.deepEqual([await statusOf(usual), await statusOf(critical)], ['queued', 'failed']);
    await suite.look({ slots: 1, reserve: 1 });
    assert.equal(await statusOf(usual), 'queued');
  });

  describe('while a slot is free', () => {
    const holds = (lookAhead: LookAhead) => lookAhead.holdsNext(freeSlotsView(2));

    it('holds the next call until the task was seen, by whichever worker, and ends the one that needs none', async () => {
      const [first, second] = [await accept(unknownId()), await accept(newMachineId())];
      const [one, other] = [suite.open(), suite.open()];
      assert.deepEqual([await holds(one), await holds(other)], [true, true]);
      await waitFor(async () => (await statusOf(first)) === 'failed', { what: 'the end of the first' });
      await waitFor(async () => !(await holds(one)) && !(await holds(other)), { what: 'the look' });
      assert.equal(await statusOf(second), 'queued');
      await Promise.all([one.close(), other.close()]);
    });

    it('holds no critical call', async () => {
      await accept(newMachineId(), { priority: 'critical' });
      const critical = suite.open();
      assert.equal(await holds(critical), false);
      await critical.close();
    });

    it('holds a call for a second at most', async () => {
      const { taskId } = await accept(newMachineId());
      // Another worker died with its look.
      const lookUntil = { lookBy: 'dead', lookUntil: Date.now() + 60_000 };
      await suite.bench.redis.hset(suite.bench.keys.task(taskId), lookUntil);
      const lookAhead = suite.open();
      const beganMs = performance.now();
      assert.equal(await holds(lookAhead), true);
      await waitFor(async () => !(await holds(lookAhead)), { what: 'the end of the wait' });
      const tookMs = performance.now() - beganMs;
      assert.ok(tookMs >= 900 && tookMs < 2_500, `${tookMs} ms`);
      await lookAhead.close();
    });
  });

  it('reads nothing while no slot opens soon, a hold is on, or nothing is ready', async () => {
    await accept(newMachineId());
    const lookAhead = suite.open();
    const now = freeSlotsView(1);
    const hold = { reason: 'paused' as const, untilMs: now.nowMs + hourMs };
    lookAhead.attend({ ...now, hold, holdsOn: ['paused'] }, { ready: 1, offline: 0 });
    const slotsInUse = [{ freeAtMs: now.nowMs + hourMs, call: undefined }];
    lookAhead.attend(
      { ...now, slotsInUse, limits: oneLimit(1, hourMs, slotsInUse) },
      { ready: 1, offline: 0 },
    );
    lookAhead.attend(now, { ready: 0, offline: 0 });
    await lookAhead.close();
    assert.deepEqual(await suite.reads(), []);
  });

  it('looks at each task once, however many workers look at the same time', async () => {
    for (let i = 0; i < 3; i += 1) await accept(newMachineId());
    await Promise.all([suite.look(), suite.look(), suite.look()]);
    assert.deepEqual(await suite.reads(), ['listInvestigations', 'listMachines']);
  });

  /** Does this while the reads of a look are under way. */
  async function duringLook(act: () => Promise<unknown>): Promise<void> {
    const before = (await suite.reads()).length;
    await suite.simulator.addFault({ target: 'read', times: null, action: { kind: 'delay', ms: 60_000 } });
    const looked = suite.look();
    await waitFor(async () => (await suite.reads()).length > before, { what: 'the read' });
    await act();
    await suite.simulator.clearFaults();
    await looked;
  }

  it('leaves alone what was claimed, joined by force or cancelled meanwhile', async () => {
    const covered = newMachineId();
    await suite.simulator.addInvestigation({ machineId: covered });
    const begun = await accept(unknownId());
    const forced = await accept(covered);
    const cancelled = await accept(unknownId());
    await duringLook(async () => {
      await suite.worker.tasks.begin(begun.taskId, 'call-1');
      await accept(covered, { force: true });
      await suite.worker.tasks.endWaiting(cancelled.taskId, { status: 'cancelled', attempts: 0 });
    });
    const statuses = await Promise.all([begun, forced, cancelled].map(statusOf));
    assert.deepEqual(statuses, ['dispatching', 'queued', 'cancelled']);
    assert.deepEqual(await countByLabel(suite.metrics.slotsSaved), {});
  });

  it('leaves alone what was called and given back meanwhile: what was seen is older than that call', async () => {
    const request = await accept(unknownId());
    await duringLook(async () => {
      await suite.worker.tasks.begin(request.taskId, 'call-1');
      await suite.worker.tasks.giveBack(request.taskId, 'call-1');
    });
    assert.equal(await statusOf(request), 'queued');
  });

  it('ends nothing by a look that took longer than it counts', async () => {
    const request = await accept(unknownId());
    await duringLook(() => suite.bench.redis.hset(suite.bench.keys.task(request.taskId), 'lookUntil', '1'));
    assert.equal(await statusOf(request), 'queued');
  });

  const noWords = [
    ['a 404 of a gateway', { status: 404, body: '<html>not found</html>' }],
    ['a 404 for a route', { status: 404, body: { error: { code: 'NotFound', message: 'no route' } } }],
    ['a 403', { status: 403, body: { error: { code: 'Forbidden', message: 'Missing application roles' } } }],
    ['a 500', { status: 500, body: 'oops' }],
    ['a 429', { status: 429, retryAfter: 30 }],
    ['a 200 without content', { status: 200, body: {} }],
  ] as const;
  for (const [name, answer] of noWords) {
    it(`takes ${name} for no word of Defender about a machine`, async () => {
      const request = await accept(unknownId());
      const when = { read: 'getMachine' };
      await suite.simulator.addFault({ target: 'read', when, action: { kind: 'status', ...answer } });
      await suite.look();
      assert.equal(await statusOf(request), 'queued');
    });
  }

  it('looks for what runs although machines cannot be read, and asks no more about machines for a while', async () => {
    const forbidden = {
      kind: 'status',
      status: 403,
      body: { error: { code: 'Forbidden', message: 'roles' } },
    };
    await suite.simulator.addFault({
      target: 'read',
      times: null,
      when: { read: 'getMachine' },
      action: forbidden,
    });
    const machineId = newMachineId();
    await suite.simulator.addInvestigation({ machineId });
    const request = await accept(machineId);
    const lookAhead = suite.open();
    lookAhead.attend(freeSlotsView(1), { ready: 1, offline: 0 });
    await waitFor(async () => (await statusOf(request)) === 'started', { what: 'the cover to be found' });
    const next = await accept(newMachineId());
    await waitFor(
      async () => {
        lookAhead.attend(freeSlotsView(1), { ready: 1, offline: 0 });
        return (await suite.bench.redis.hget(suite.bench.keys.task(next.taskId), 'seenCover')) !== null;
      },
      { what: 'the next look' },
    );
    await lookAhead.close();
    assert.deepEqual(await suite.reads(), ['getMachine', 'listInvestigations', 'listInvestigations']);
    assert.match(suite.logLines.join('\n'), /looking at machines before their calls failed/);
  });

  it('asks one by one where a list of several is refused', async () => {
    const refused = { kind: 'status', status: 400, body: { error: { code: 'ODataError', message: 'in' } } };
    for (const read of ['listMachines', 'listInvestigations'])
      await suite.simulator.addFault({ target: 'read', when: { read }, action: refused });
    const [unknown, covered] = [unknownId(), newMachineId()];
    await suite.simulator.addInvestigation({ machineId: covered });
    const requests = [await accept(unknown), await accept(covered)];
    await suite.look();
    assert.deepEqual(await Promise.all(requests.map(statusOf)), ['failed', 'started']);
  });

  it('reads nothing that the budget refuses, and leaves the rest of the budget to what is needed', async () => {
    const limits = [{ calls: 4, windowMs: hourMs }];
    const whole = createReadBudget({
      redis: redis.client,
      tenantId: randomUUID(),
      limits,
      timeoutMs: 10_000,
    });
    const budget = { take: () => whole.take('optional') };
    const request = await accept(unknownId());
    await suite.look({ budget });
    assert.equal(await statusOf(request), 'failed');
    const refused = await accept(unknownId());
    await suite.look({ budget });
    assert.equal(await statusOf(refused), 'queued');
    assert.equal((await suite.reads()).length, 2);
    assert.equal((await whole.take('needed')).granted, true);
  });

  it('warns the requests of a machine that is offline, those that join later too, until it is back', async () => {
    const machineId = newMachineId();
    await suite.simulator.addMachine({
      id: machineId,
      healthStatus: 'Inactive',
      onboardingStatus: 'Unsupported',
    });
    const first = await accept(machineId);
    await suite.look();
    const joined = await accept(machineId);
    const codesOf = async ({ requestId }: { requestId: string }) =>
      (await suite.bench.read(requestId)).warnings?.map(({ code }) => code);
    for (const request of [first, joined])
      assert.deepEqual(await codesOf(request), ['machine_offline', 'machine_not_onboarded']);

    await suite.simulator.addMachine({ id: machineId });
    await suite.bench.redis.hset(suite.bench.keys.task(first.taskId), 'seenMachine', '1');
    await suite.look();
    for (const request of [first, joined]) assert.equal(await codesOf(request), undefined);
  });

  it('puts tasks of machines that are offline behind others where calls that run keep room from others, and back', async () => {
    const operation = 'runLiveResponse';
    const [silent, unknown, well] = [newMachineId(), unknownId(), newMachineId()];
    await suite.simulator.addMachine({ id: silent, healthStatus: 'Inactive' });
    const first = await accept(silent);
    const second = await accept(well);
    const critical = await accept(newMachineId(), { priority: 'critical' });
    const { offline, jobOrder, task } = suite.bench.keys;
    const ordered = () => suite.bench.redis.zrange(jobOrder, 0, '-1');
    await suite.look({ operation });
    assert.deepEqual(await ordered(), [critical.taskId, second.taskId]);
    assert.equal(await statusOf(first), 'queued');

    // Of one that is put aside Defender can forget the machine.
    const gone = await accept(unknown);
    await suite.worker.jobs.removeAll([gone.taskId]);
    await suite.bench.redis.zadd(offline, 1, gone.taskId);
    await suite.simulator.addMachine({ id: silent });
    await suite.bench.redis.hset(task(first.taskId), 'seenMachine', '1');
    await suite.look({ operation, slots: 0, offline: 2 });
    assert.deepEqual(await ordered(), [critical.taskId, first.taskId, second.taskId]);
    assert.equal(await statusOf(gone), 'failed');
  });

  it('is cut short by the end of its reader', async () => {
    await accept(newMachineId());
    await suite.simulator.addFault({ target: 'read', times: null, action: { kind: 'hang' } });
    const lookAhead = suite.open();
    lookAhead.attend(freeSlotsView(1), { ready: 1, offline: 0 });
    await waitFor(async () => (await suite.reads()).length > 0, { what: 'the read' });
    await suite.closeReaders();
    await lookAhead.close();
  });

  describe('at machine actions', () => {
    const scan = (machineId: string, scanType: string) => accept(machineId, { parameters: { scanType } });

    it('attaches to one that does all that is asked for, and to no other', async () => {
      const [quick, full] = [newMachineId(), newMachineId()];
      const type = 'RunAntiVirusScan';
      const running = await suite.simulator.addMachineAction({ machineId: quick, type, scope: 'Full' });
      await suite.simulator.addMachineAction({ machineId: full, type, scope: 'Quick' });
      await suite.simulator.addMachineAction({ machineId: full, type, scope: 'Full', status: 'Succeeded' });
      const requests = [await scan(quick, 'Quick'), await scan(full, 'Full')];
      await suite.look({ operation: 'runAntiVirusScan' });
      assert.deepEqual(await Promise.all(requests.map(statusOf)), ['started', 'queued']);
      const { result } = await suite.bench.read(requests[0]?.requestId ?? '');
      assert.deepEqual(result, { kind: 'machineAction', id: running.id, attached: true });
    });

    it('takes nothing for a cover that another operation can have undone', async () => {
      const machineId = newMachineId();
      await suite.simulator.addMachineAction({ machineId, type: 'RestrictCodeExecution' });
      const request = await accept(machineId);
      await suite.look({ operation: 'restrictCodeExecution' });
      assert.equal(await statusOf(request), 'queued');
      assert.deepEqual(await suite.reads(), ['getMachine']);
    });
  });
});
