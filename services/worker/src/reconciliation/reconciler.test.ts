import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createReadBudget, readLimits } from '@diq/quota/reads/read-budget.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { newMachineId } from '../test-support/open-bench.ts';
import { useLostCalls } from '../test-support/use-lost-calls.ts';
import { countByLabel } from '../test-support/count-by-label.ts';

const graceMs = 1_000;
const patient = { reconcile: { graceMs: 5_000, onUnknown: 'fail' } } as const;
const madeAndSilent = { kind: 'hang', made: true };
const silent = { kind: 'hang' };
const failing = { kind: 'status', status: 500 };

function factsOf({ status, investigationId, result, error, attempts }: RequestDocument) {
  return { status, investigationId, attached: result?.attached, code: error?.code, attempts };
}

describe('a call without a readable answer', () => {
  const redis = useEmbeddedRedis();

  describe('whose investigation was made', () => {
    const suite = useLostCalls(redis);

    for (const [what, action] of [
      ['a timeout', madeAndSilent],
      ['a connection reset', { kind: 'reset', when: 'after' }],
      ['an error of Defender', { ...failing, made: true }],
      ['an answer without an id', { kind: 'broken-body', form: 'no-value' }],
    ] as const) {
      it(`is found after ${what}, with its id, and is not made again`, async () => {
        const lost = await suite.lose(action, patient);
        const request = await suite.untilOver(lost);
        const investigationId = await suite.simulator.investigationOf(lost.machineId);
        assert.deepEqual(factsOf(request), {
          status: 'started',
          investigationId,
          attached: undefined,
          code: undefined,
          attempts: 1,
        });
        assert.equal(await suite.simulator.callsFor(lost.machineId), 1);
        assert.equal(await lost.worker.jobs.countAll(), 0);
        assert.deepEqual(await countByLabel(lost.worker.metrics.reconciliations), { found: 1 });
        assert.equal(
          lost.worker.logLines.filter((line) => line.includes('reconciled with Defender')).length,
          1,
        );
      });
    }

    it('is found among rows that cannot be read', async () => {
      const odd = { kind: 'broken-body', form: 'odd-rows' };
      await suite.simulator.addFault({ target: 'read', times: null, action: odd });
      const lost = await suite.lose(madeAndSilent, patient);
      const { status, investigationId } = await suite.untilOver(lost);
      await suite.simulator.clearFaults();
      assert.deepEqual(
        [status, investigationId],
        ['started', await suite.simulator.investigationOf(lost.machineId)],
      );
      assert.equal(await suite.simulator.callsFor(lost.machineId), 1);
    });

    it('is found for everybody who joined while it was looked up', async () => {
      const lost = await suite.lose(madeAndSilent, patient);
      const { requestId } = await suite.bench.accept({ machineId: lost.machineId });
      const pending = await suite.bench.read(requestId);
      assert.deepEqual(
        [pending.status, pending.error?.code, pending.attempts],
        ['dispatching', 'call_timeout', 1],
      );
      const { investigationId } = await suite.untilOver(lost);
      assert.equal((await suite.bench.read(requestId)).investigationId, investigationId);
    });

    it('is found by one of two workers that look at the same time', async () => {
      const lost = await suite.lose(madeAndSilent, patient);
      const other = await suite.openWorker(patient);
      const both = [lost.worker, other];
      await waitFor(
        async () => {
          await Promise.all(both.map(({ reconciler }) => reconciler.queryDue()));
          return (await suite.bench.read(lost.requestId)).status === 'started';
        },
        { what: 'the verdict' },
      );
      const verdicts = await Promise.all(both.map(({ metrics }) => countByLabel(metrics.reconciliations)));
      assert.equal(
        verdicts.reduce((sum, { found = 0 }) => sum + found, 0),
        1,
      );
      assert.equal((await suite.readsOf(lost.machineId)).length, 1);
    });

    it('is found by the next worker when the one that looks dies', async () => {
      const heir = await suite.openWorker(patient);
      const lost = await suite.lose(madeAndSilent, patient);
      const taken = await waitFor(async () => (await lost.worker.tasks.takeDue(1_000)).id, {
        what: 'its turn',
      });
      await heir.reconciler.queryDue();
      assert.equal(taken, lost.taskId);
      await lost.worker.close();
      assert.deepEqual(await suite.readsOf(lost.machineId), [], 'it is in the hands of the other one');
      assert.equal((await suite.untilOver({ ...lost, worker: heir })).status, 'started');
    });

    it('is found once Defender can be read again, however long after the grace', async () => {
      await suite.simulator.addFault({
        target: 'read',
        times: null,
        action: { kind: 'status', status: 503 },
      });
      // Ten times as long Defender is asked: long enough for the looks of a busy machine.
      const lost = await suite.lose(madeAndSilent, { reconcile: { graceMs, onUnknown: 'fail' } });
      await suite.lookUntil(lost, async () => (await suite.ageOf(lost)) > 1.5 * graceMs);
      const pending = await suite.bench.read(lost.requestId);
      assert.deepEqual([pending.status, pending.error?.code], ['dispatching', 'call_timeout']);
      await suite.simulator.clearFaults();
      assert.equal((await suite.untilOver(lost)).status, 'started');
    });

    it('is found with a new token where the one at hand is rejected', async () => {
      const lost = await suite.lose(madeAndSilent, patient);
      await suite.simulator.revokeTokens();
      assert.equal((await suite.untilOver(lost)).status, 'started');
    });

    it('is found also behind one that cannot be read', async () => {
      const soonAgain = { ...patient, lookTimeoutMs: 300 };
      const poison = await suite.lose(silent, soonAgain);
      const doc = '{"from":"the future"}';
      await suite.bench.redis.hset(suite.bench.keys.request(poison.requestId), 'doc', doc);
      const lost = await suite.lose(madeAndSilent, soonAgain);
      assert.equal((await suite.untilOver(lost)).status, 'started');
      const { status, error } = await suite.bench.redis.hgetall(suite.bench.keys.request(poison.requestId));
      assert.equal(status, 'unknown', 'that one ends too');
      assert.match(error ?? '', /payload_unreadable/);
    });
  });

  describe('whose investigation shows late', () => {
    const suite = useLostCalls(redis, { SIMULATOR_REPLICATION_DELAY: '3s' });

    it('is found by a later look', async () => {
      const lost = await suite.lose(madeAndSilent, { reconcile: { graceMs: 6_000, onUnknown: 'fail' } });
      assert.equal((await suite.untilOver(lost)).status, 'started');
      assert.ok((await suite.readsOf(lost.machineId)).length > 2, 'the first look showed nothing');
    });
  });

  describe('whose investigation was not made', () => {
    const suite = useLostCalls(redis);
    const twoLooks = { reconcile: { graceMs, onUnknown: 'fail' } } as const;

    for (const [what, action, code] of [
      ['a timeout', silent, 'call_timeout'],
      ['a connection reset', { kind: 'reset', when: 'before' }, 'connection_lost'],
    ] as const) {
      it(`is unknown after ${what}, but not before the grace is over, and is never made again`, async () => {
        const lost = await suite.lose(action, twoLooks);
        const pending = await suite.bench.read(lost.requestId);
        assert.deepEqual(factsOf(pending), { ...unknownFor(code), status: 'dispatching' });
        const request = await suite.untilOver(lost);
        assert.ok((await suite.ageOf(lost)) >= graceMs);
        assert.deepEqual(factsOf(request), unknownFor(code));
        assert.match(
          request.error?.message ?? '',
          /Defender shows no investigation of it\. It was called once\.$/,
        );
        assert.equal(await suite.simulator.callsFor(lost.machineId), 1);
        assert.equal(await lost.worker.jobs.countAll(), 0);
        assert.deepEqual(await countByLabel(lost.worker.metrics.reconciliations), { unknown: 1 });
      });
    }

    it('is made again after an error of Defender, with a permit of its own', async () => {
      const lost = await suite.lose(failing, twoLooks);
      const back = await suite.untilOver(lost);
      assert.deepEqual(factsOf(back), { ...unknownFor(undefined), status: 'queued' });
      assert.equal(back.dispatchedAt, undefined);
      assert.deepEqual(await lost.worker.jobs.positions([lost.taskId]), [1]);
      await suite.serveAgain(lost);
      const request = await suite.bench.read(lost.requestId);
      assert.deepEqual([request.status, request.attempts], ['started', 2]);
      assert.equal(await suite.simulator.callsFor(lost.machineId), 2);
      assert.equal(await lost.worker.used(), 2);
      assert.deepEqual(await countByLabel(lost.worker.metrics.reconciliations), { retried: 1 });
    });

    it('is not made again as long as a row that cannot be read might be its investigation', async () => {
      const odd = { kind: 'broken-body', form: 'odd-rows' };
      await suite.simulator.addFault({ target: 'read', times: null, action: odd });
      const lost = await suite.lose(failing, { reconcile: { graceMs: 200, onUnknown: 'fail' } });
      const request = await suite.untilOver(lost);
      await suite.simulator.clearFaults();
      assert.deepEqual([request.status, request.attempts], ['unknown', 1]);
      assert.equal(await suite.simulator.callsFor(lost.machineId), 1);
    });

    it('fails with its code when Defender fails three times for it and not for others', async () => {
      const fast = { reconcile: { graceMs: 200, onUnknown: 'fail' } } as const;
      const lost = await suite.lose(failing, fast, 3);
      for (const _ of [2, 3]) {
        const other = await suite.bench.accept();
        await suite.serveAgain(lost);
        assert.equal((await suite.bench.read(other.requestId)).status, 'started');
        assert.equal((await suite.untilOver(lost)).status, 'queued');
        await suite.serveAgain(lost);
      }
      const request = await suite.untilOver(lost);
      assert.deepEqual(factsOf(request), { ...unknownFor('server_error'), status: 'failed', attempts: 3 });
      assert.equal(await suite.simulator.callsFor(lost.machineId), 3);
      assert.deepEqual(await countByLabel(lost.worker.metrics.reconciliations), { retried: 2, failed: 1 });
    });

    it('waits on when Defender fails for everybody, however often', async () => {
      // The third call is where one that fails alone ends. A fourth might find the reads of the minute used up.
      const lost = await suite.lose(failing, { reconcile: { graceMs: 200, onUnknown: 'fail' } }, 3);
      for (const _ of [2, 3]) {
        assert.equal((await suite.untilOver(lost)).status, 'queued');
        await suite.serveAgain(lost);
      }
      assert.equal((await suite.untilOver(lost)).status, 'queued');
    });

    it('is made again after a lost answer where that is wanted, three times at most', async () => {
      const lost = await suite.lose(silent, { reconcile: { graceMs: 200, onUnknown: 'retry' } }, 3);
      for (const _ of [2, 3]) {
        assert.equal((await suite.untilOver(lost)).status, 'queued');
        await suite.serveAgain(lost);
      }
      assert.deepEqual(factsOf(await suite.untilOver(lost)), { ...unknownFor('call_timeout'), attempts: 3 });
      assert.equal(await suite.simulator.callsFor(lost.machineId), 3);
    });

    it('is attached to the one that was reported to the request before it, and never takes that for its own', async () => {
      const machineId = newMachineId();
      const before = await suite.lose({ kind: 'reset', when: 'after' }, twoLooks, 1, machineId);
      const { investigationId } = await suite.untilOver(before);
      const lost = await suite.lose(silent, twoLooks, 1, machineId);
      const after = { status: 'started', investigationId, attached: true, code: undefined, attempts: 1 };
      assert.deepEqual(factsOf(await suite.untilOver(lost)), after);
      assert.equal(await suite.simulator.callsFor(machineId), 2);
    });

    it('counts the grace from the loss of the answer, however long the call was under way', async () => {
      const slow = { kind: 'hang' };
      const lost = await suite.lose(slow, { ...twoLooks, callTimeoutMs: 900 });
      await suite.untilOver(lost);
      assert.ok((await suite.ageOf(lost)) >= 900 + graceMs);
    });

    it('is attached to the investigation that another application started meanwhile', async () => {
      const lost = await suite.lose(silent, twoLooks);
      const { machineId } = lost;
      const { id } = await suite.simulator.addInvestigation({ machineId, actor: 'SOC(soc@contoso.com)' });
      assert.deepEqual(factsOf(await suite.untilOver(lost)), {
        status: 'started',
        investigationId: id,
        attached: true,
        code: undefined,
        attempts: 1,
      });
      assert.equal(await suite.simulator.callsFor(machineId), 1);
      assert.deepEqual(await countByLabel(lost.worker.metrics.reconciliations), { attached: 1 });
    });

    it('is unknown, and not made again, where Defender can never be read', async () => {
      await suite.simulator.addFault({
        target: 'read',
        times: null,
        action: { kind: 'status', status: 403 },
      });
      const lost = await suite.lose(failing, { reconcile: { graceMs: 50, onUnknown: 'fail' } });
      const request = await suite.untilOver(lost);
      assert.deepEqual(factsOf(request), unknownFor('server_error'));
      assert.match(request.error?.message ?? '', /Defender could not be asked/);
      assert.ok((await suite.ageOf(lost)) >= 500);
    });

    it('is not looked for without a token, nor for as long as Defender asks to be left alone', async () => {
      const budget = createReadBudget({
        redis: redis.client,
        tenantId: randomUUID(),
        limits: readLimits(1),
        timeoutMs: 10_000,
      });
      const lost = await suite.lose(silent, { ...patient, budget });
      const action = { kind: 'status', status: 429, retryAfter: 30 };
      await suite.simulator.addFault({ target: 'read', times: 1, action });
      await suite.lookUntil(lost, async () => (await suite.readsOf(lost.machineId)).length > 0);
      await lost.worker.tasks.rescheduleQuery(lost.taskId, lost.callId, 0);
      await lost.worker.reconciler.queryDue();
      assert.equal((await suite.readsOf(lost.machineId)).length, 1);
      const score = await suite.bench.redis.zscore(suite.bench.keys.reconciling, lost.taskId);
      assert.ok(Number(score) > Date.now() + 20_000, 'and looks again only after that');

      const tokenless = await suite.lose(silent, patient);
      await suite.simulator.addFault({
        target: 'token',
        times: null,
        action: { kind: 'token-refused', error: 'AADSTS7000222' },
      });
      await suite.simulator.revokeTokens();
      const heir = await suite.openWorker(patient);
      await suite.lookUntil({ ...tokenless, worker: heir }, async () =>
        heir.logLines.some((line) => line.includes('no_token')),
      );
      assert.deepEqual(await suite.readsOf(tokenless.machineId), []);
    });
  });

  describe('refused because an investigation runs', () => {
    const suite = useLostCalls(redis, { SIMULATOR_ON_RUNNING: 'refuse' });

    it('is attached to that one, at once', async () => {
      const machineId = newMachineId();
      const startTime = new Date(Date.now() - 3_600_000).toISOString();
      const order = { machineId, startTime, state: 'Running', actor: 'SOC(soc@contoso.com)' };
      const { id } = await suite.simulator.addInvestigation(order);
      const lost = await suite.lose(undefined, patient, 1, machineId);
      const request = await suite.untilOver(lost);
      assert.deepEqual(
        [request.status, request.investigationId, request.result?.attached],
        ['started', id, true],
      );
      assert.ok((await suite.ageOf(lost)) < patient.reconcile.graceMs);
    });

    it('fails where Defender shows none', async () => {
      const body = {
        error: { code: 'ActiveRequestAlreadyExists', message: 'Action is already in progress' },
      };
      const lost = await suite.lose(
        { kind: 'status', status: 400, body },
        { reconcile: { graceMs: 300, onUnknown: 'retry' } },
      );
      const { status, error } = await suite.untilOver(lost);
      assert.deepEqual([status, error?.code], ['failed', 'already_running']);
      assert.equal(await suite.simulator.callsFor(lost.machineId), 1);
    });
  });
});

function unknownFor(code: string | undefined) {
  return { status: 'unknown', investigationId: undefined, attached: undefined, code, attempts: 1 };
}
