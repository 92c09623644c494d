import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createReadBudget } from '@diq/quota/reads/read-budget.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { newMachineId } from '../test-support/open-bench.ts';
import { limit, quota, useColdStarts, type ColdStarter } from '../test-support/use-cold-starts.ts';
import { useSimulator } from '../test-support/use-simulator.ts';

const minuteMs = 60_000;
const holdMs = limit.windowMs + quota.callTimeoutMs;
const listIsAway = {
  target: 'read',
  times: null,
  when: { read: 'listInvestigations' },
  action: { kind: 'status', status: 503 },
};

/** An address without a server. */
async function closedOrigin(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return `https://127.0.0.1:${port}`;
}

describe('a worker that finds the ledger empty', () => {
  const redis = useEmbeddedRedis();
  const simulator = useSimulator();
  const start = useColdStarts(redis, simulator);

  const holdOf = async ({ snapshot }: ColdStarter) => (await snapshot()).hold?.reason;
  const untilLifted = async (worker: ColdStarter) =>
    await waitFor(async () => (await worker.snapshot()).hold === undefined, { what: 'the end of the hold' });
  const reads = async () => (await simulator.reads()).length;
  const warned = (worker: ColdStarter) =>
    waitFor(() => worker.log().find(({ msg }) => String(msg).startsWith('waiting to read')), {
      what: 'a warning',
    });
  const call = (n: number) => ({ callId: `call-${n}`, taskId: `d-${n}`, machineId: `m-${n}` });

  it('waits for the budget of reads where others used it up, says so, and is rebuilt when it has one', async () => {
    const budget = createReadBudget({
      redis: redis.client,
      tenantId: randomUUID(),
      limits: [{ calls: 1, windowMs: 1_000 }],
      timeoutMs: 1_000,
    });
    const others = await budget.take();
    assert.ok(others.granted);
    await others.answered();
    const worker = await start('reconstruct', { budget });
    await untilLifted(worker);
    const messages = worker.log().map(({ msg }) => msg);
    assert.ok(messages.includes('reading what was started waits for the budget of reads'));
    assert.ok(messages.includes('ledger rebuilt from what Defender lists'));
    assert.equal(await reads(), 1);
  });

  it('counts what Defender lists as started within one window, from a moment after the start, and goes on', async () => {
    const startedMs = (agoMs: number) => Math.floor((Date.now() - agoMs) / 1_000) * 1_000;
    const [early, late] = [startedMs(50 * minuteMs), startedMs(10 * minuteMs)];
    for (const atMs of [startedMs(61 * minuteMs), late, early]) {
      await simulator.addInvestigation({
        machineId: newMachineId(),
        startTime: new Date(atMs).toISOString(),
      });
    }
    const worker = await start('reconstruct');
    await untilLifted(worker);
    const { slotsInUse } = await worker.snapshot();
    assert.deepEqual(
      slotsInUse.map(({ freeAtMs }) => freeAtMs),
      [early, late].map((atMs) => atMs + 6_000 + limit.windowMs),
    );
    assert.equal((await worker.ledger.spend(call(1))).kind, 'granted');
    assert.equal((await worker.ledger.spend(call(2))).kind, 'full');
  });

  it('waits while the list cannot be read, says until when and how to override, and goes on when it can', async () => {
    await simulator.addFault(listIsAway);
    const worker = await start('reconstruct');
    const warning = await warned(worker);
    const view = await worker.snapshot();
    assert.equal(view.hold?.reason, 'cold_start');
    assert.equal(worker.isRebuilding(), true);
    assert.ok(view.hold.untilMs > view.nowMs + holdMs - 10_000);
    assert.deepEqual([warning['level'], warning['reason']], ['warn', 'server_error']);
    assert.equal(warning['until'], new Date(view.hold.untilMs).toISOString());
    assert.match(String(warning['override']), /QUOTA_COLD_START=open/);
    assert.equal((await worker.ledger.spend(call(1))).kind, 'held');
    await simulator.clearFaults();
    await untilLifted(worker);
    await waitFor(() => !worker.isRebuilding(), { what: 'the end of the attempts' });
  });

  it('counts rows that cannot be read as calls of now, and does not wait for a whole window on their account', async () => {
    const oddRows = { kind: 'broken-body', form: 'odd-rows' };
    await simulator.addFault({ target: 'read', times: null, action: oddRows });
    const worker = await start('reconstruct');
    await untilLifted(worker);
    await simulator.clearFaults();
    const { slotsInUse, nowMs } = await worker.snapshot();
    assert.equal(slotsInUse.length, limit.calls);
    for (const { freeAtMs } of slotsInUse) assert.ok(freeAtMs > nowMs + limit.windowMs - 10_000);
    const rebuilt = worker.log().find(({ msg }) => String(msg).startsWith('ledger rebuilt'));
    assert.ok(Number(rebuilt?.['unreadable']) > 0);
  });

  it('waits while the secret is wrong, says so with the code, and no longer once it is mended', async () => {
    const refused = { kind: 'token-refused', error: 'AADSTS7000215' };
    await simulator.addFault({ target: 'token', times: null, action: refused });
    const worker = await start('reconstruct');
    const { reason, code, override } = await warned(worker);
    assert.deepEqual([reason, code, override], ['no_token', 'AADSTS7000215', undefined]);
    const { hold, holdsOn, isEndUnknown } = await worker.snapshot();
    assert.deepEqual([hold?.reason, hold?.cause, hold?.code], ['cold_start', 'no_token', 'AADSTS7000215']);
    assert.deepEqual([holdsOn, isEndUnknown], [['cold_start', 'no_token'], true]);
    await simulator.clearFaults();
    await untilLifted(worker);
    // Nor is the path in doubt: no call has met this.
    const after = await worker.snapshot();
    assert.deepEqual([after.holdsOn, after.isEndUnknown], [[], undefined]);
  });

  it('says that Entra ID cannot be reached', async () => {
    const worker = await start('reconstruct', { authorityHost: await closedOrigin() });
    await warned(worker);
    const { hold } = await worker.snapshot();
    assert.deepEqual([hold?.cause, hold?.code], ['no_token', 'ECONNREFUSED']);
  });

  it('says that Defender cannot be reached', async () => {
    const worker = await start('reconstruct', { defenderUrl: await closedOrigin() });
    await warned(worker);
    assert.equal((await worker.snapshot()).hold?.cause, 'unreachable');
  });

  for (const [status, cause] of [
    [403, 'not_allowed'],
    [404, 'endpoint_unusable'],
    [429, 'throttled'],
    [503, 'failing'],
  ] as const) {
    it(`says that Defender answers ${status} as calls would be held for it: ${cause}`, async () => {
      await simulator.addFault({ ...listIsAway, action: { kind: 'status', status } });
      const worker = await start('reconstruct');
      await warned(worker);
      const { hold } = await worker.snapshot();
      assert.deepEqual([hold?.cause, hold?.httpStatus], [cause, status]);
    });
  }

  it('records nothing of the last hold for the next empty ledger', async () => {
    await simulator.addFault(listIsAway);
    const worker = await start('reconstruct');
    await warned(worker);
    worker.close();
    await redis.client.del(await redis.client.keys('*:ledger:generation'));
    const { hold } = await worker.snapshot();
    assert.deepEqual([hold?.reason, hold?.cause], ['cold_start', undefined]);
  });

  it('takes over from one that died before it could', async () => {
    await simulator.addFault(listIsAway);
    const first = await start('reconstruct');
    await warned(first);
    first.close();
    await simulator.clearFaults();
    const second = await start('reconstruct');
    await untilLifted(second);
    assert.equal(await holdOf(first), undefined);
  });

  it('is overridden by QUOTA_COLD_START=open', async () => {
    await simulator.addFault(listIsAway);
    await start('reconstruct');
    const opened = await start('open');
    assert.equal(await holdOf(opened), undefined);
    assert.equal((await opened.ledger.spend(call(1))).kind, 'granted');
  });

  it('in mode "open" calls at once and reads nothing', async () => {
    const before = await reads();
    const worker = await start('open');
    assert.equal((await worker.ledger.spend(call(1))).kind, 'granted');
    assert.equal(await reads(), before);
  });

  it('in mode "wait" holds for one window and one call timeout, and reads nothing', async () => {
    const before = await reads();
    const worker = await start('wait');
    const { hold, nowMs } = await worker.snapshot();
    assert.equal(hold?.reason, 'cold_start');
    assert.ok(hold.untilMs > nowMs + holdMs - 10_000);
    assert.equal(await reads(), before);
  });

  it('has nothing to do with a ledger that is there', async () => {
    const first = await start('open');
    await first.ledger.spend(call(1));
    const before = await reads();
    const second = await start('wait');
    assert.deepEqual([await holdOf(second), (await second.snapshot()).slotsInUse.length], [undefined, 1]);
    assert.equal(await reads(), before);
  });
});

describe('a worker whose ledger is lost while it runs', () => {
  const redis = useEmbeddedRedis();
  const start = useColdStarts(redis, useSimulator());
  beforeEach(() => redis.flush());
  const call = { callId: 'call-1', taskId: 'd-1', machineId: 'm-1' };

  for (const mode of ['reconstruct', 'wait', 'open'] as const) {
    it(`in mode "${mode}", holds for one whole window: what was called may stand in no list`, async () => {
      const worker = await start(mode);
      await worker.ledger.endColdStart();
      await worker.ledger.spend(call);
      await redis.flush();
      const view = await worker.snapshot();
      assert.equal(view.isLost, false);
      assert.equal(view.slotsInUse[0]?.call?.callId, 'call-1');
      assert.equal(view.hold?.reason, 'cold_start');
      assert.ok(view.hold.untilMs > view.nowMs + holdMs - 10_000);
      const newcomer = await start('reconstruct');
      assert.equal(await newcomer.ledger.rebuild([]), 'kept');
      const [error] = worker.log().filter(({ level }) => level === 'error');
      assert.equal(error?.['until'], new Date(view.hold.untilMs).toISOString());
    });
  }

  it('adds its own calls where only those are missing, holds until all workers have done so, and says so', async () => {
    const worker = await start('open');
    await worker.ledger.spend(call);
    const [calls = ''] = await redis.client.keys('*:ledger:calls');
    await redis.client.del(calls);
    const view = await worker.snapshot();
    assert.deepEqual([view.hold?.reason, view.slotsInUse.length], ['failover', 1]);
    assert.equal(worker.log().filter(({ level }) => level === 'error').length, 1);
  });

  it('opens it again only after what this worker alone knows of its calls was stored', async () => {
    let isStored = false;
    const worker = await start('open', {
      async beforeReopening() {
        const found = await worker.ledger.findCall(call.callId);
        if (!isStored) throw new Error(`not stored: ${found?.outcome}`);
        await worker.ledger.giveBack(call.callId);
      },
    });
    await worker.ledger.spend(call);
    const [generation = ''] = await redis.client.keys('*:ledger:generation');
    await redis.client.hset(generation, 'server', 'another');
    await assert.rejects(worker.snapshot(), /not stored: in_flight/);
    assert.equal((await worker.ledger.snapshot()).isLost, true);
    isStored = true;
    const view = await worker.snapshot();
    assert.deepEqual([view.isLost, view.hold?.reason, view.slotsInUse.length], [false, 'failover', 0]);
  });
});
