import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack, type Stack } from './support/stack.ts';
import { mostInAnyWindow } from './support/simulator-control.ts';

const limit = 5;
const windowMs = 3_000;
/** Of 100 items 8 name unknown machines, 15 such as are under investigation, and 20 a machine that was named before. */
const known = machineIds(57);
const unknown = Array.from({ length: 8 }, () => `dead${randomBytes(18).toString('hex')}`);
const investigated = machineIds(15);
const duplicates = known.slice(0, 20);

/** The same mixture each time: every machine at least once, before it is named again. */
function replay(): string[] {
  const firsts = [known, unknown, investigated].flatMap((group) =>
    group.map((machine, i) => ({ machine, place: (i + 0.5) / group.length })),
  );
  const mixed = firsts.toSorted((one, other) => one.place - other.place).map(({ machine }) => machine);
  return [...mixed, ...duplicates];
}

describe('looks ahead of the calls, with unknown machines, machines under investigation and duplicates', function () {
  this.timeout(120_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;

  before(async () => {
    stack = await startStack({
      redisUrl: redis.url,
      limit,
      windowMs,
      workers: 2,
      simulatorEnv: { SIMULATOR_READS_PER_MINUTE: '10000', SIMULATOR_READS_PER_HOUR: '10000' },
      workerEnv: { DEFENDER_READ_SHARE: '1' },
    });
    // What comes while a slot is free is called at once.
    const first = await stack.api.postBatch(machineIds(limit));
    await stack.api.untilCompleted(first.id, 30_000);
    for (const machineId of investigated) await stack.control.addInvestigation({ machineId });
  });
  after(() => stack?.stop());

  it('spend no slot on any of them', async () => {
    const { items, id } = await stack.api.postBatch(replay());
    const batch = await stack.api.untilCompleted(id, 90_000);
    assert.equal(batch.counts['failed'], unknown.length);
    assert.equal(batch.counts['started'], known.length + investigated.length + duplicates.length);

    const log = await stack.control.calls();
    const called = log.calls.slice(limit).map(({ machineId }) => machineId);
    assert.deepEqual(called.toSorted(), known.toSorted(), 'each known machine was called once, and no other');
    assert.ok(mostInAnyWindow(log) <= limit);

    for (const { id: requestId = '', machineId = '' } of items) {
      const { status, error, result, investigationId, attempts } = await stack.api.findRequest(requestId);
      if (unknown.includes(machineId)) {
        assert.deepEqual([status, error?.code, attempts], ['failed', 'machine_unknown', 0]);
      } else {
        assert.equal(status, 'started');
        assert.equal(investigationId, await stack.control.investigationOf(machineId));
        const isInvestigated = investigated.includes(machineId);
        assert.deepEqual([result?.attached, attempts], isInvestigated ? [true, 0] : [undefined, 1]);
      }
    }
  });

  it('are counted by reason, for dashboards and in the quota document', async () => {
    const quota = await stack.api.call('GET', '/v1/quota');
    const { slotsSaved } = quota.body as { slotsSaved: unknown };
    assert.deepEqual(slotsSaved, { machineUnknown: unknown.length, alreadyCovered: investigated.length });
    const metrics = await Promise.all(
      stack.workers.map(async ({ ready }) => (await fetch(`http://127.0.0.1:${ready.port}/metrics`)).text()),
    );
    const saved = (reason: string) =>
      metrics
        .map((text) => new RegExp(`^diq_slots_saved_total\\{.*reason="${reason}"\\} (\\d+)$`, 'm').exec(text))
        .reduce((sum, found) => sum + Number(found?.[1]), 0);
    assert.deepEqual(
      [saved('machine_unknown'), saved('already_covered')],
      [unknown.length, investigated.length],
    );
  });

  it('warn of machines that are offline or not onboarded, which are called all the same', async () => {
    const [offline = '', strange = '', ...others] = machineIds(limit + 2);
    await stack.control.addMachine({ id: offline, healthStatus: 'Inactive' });
    await stack.control.addMachine({ id: strange, onboardingStatus: 'CanBeOnboarded' });
    const { items } = await stack.api.postBatch([...others, offline, strange]);
    const idOf = new Map(items.map(({ id = '', machineId = '' }) => [machineId, id]));
    for (const [machine, code] of [
      [offline, 'machine_offline'],
      [strange, 'machine_not_onboarded'],
    ] as const) {
      const id = idOf.get(machine) ?? '';
      const request = await waitFor(
        async () => {
          const found = await stack.api.findRequest(id);
          return found.status === 'started' ? found : undefined;
        },
        { what: `${machine} to be called`, timeoutMs: 30_000 },
      );
      assert.deepEqual(
        request.warnings?.map((warning) => warning.code),
        [code],
      );
    }
  });

  it('start machines that are asked for by name, once for all their names, and fail those that stand for none', async () => {
    const [machineId = ''] = machineIds(1);
    const aadDeviceId = randomUUID();
    await stack.control.addMachine({ id: machineId, computerDnsName: 'pc-1.contoso.example', aadDeviceId });
    const requests = [{ machineName: 'PC-1.contoso.example' }, { aadDeviceId }, { machineName: 'pc-2' }];
    const { status, body } = await stack.api.call('POST', '/v1/batches', {
      requests: requests.map((named) => ({ ...named, comment: 'by name' })),
    });
    assert.equal(status, 202, JSON.stringify(body));
    const { id, items } = body as { id: string; items: { id: string }[] };
    await stack.api.untilCompleted(id, 60_000);
    const ended = await Promise.all(items.map((one) => stack.api.findRequest(one.id)));
    assert.deepEqual(
      ended.map((one) => [one.status, one.machineId, one.error?.code]),
      [
        ['started', machineId, undefined],
        ['started', machineId, undefined],
        ['failed', undefined, 'machine_name_unknown'],
      ],
    );
    const { calls } = await stack.control.calls();
    assert.equal(calls.filter((call) => call.machineId === machineId).length, 1);
    const listed = await stack.api.call('GET', `/v1/investigations?machineId=${machineId}`);
    assert.equal((listed.body as { value: unknown[] }).value.length, 2);
  });
});
