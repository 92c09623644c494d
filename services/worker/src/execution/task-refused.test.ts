import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { answerPage, answerStarted, answerStatus, type Answer } from '../test-support/defender.ts';
import { useBench } from '../test-support/use-bench.ts';

const forbidden = answerStatus(403, {}, 'not for this device group', 'DisallowedOperation');
const throttled = answerStatus(429, {}, 'quota exceeded', '429');

/** Short holds, and slots enough that nothing but holds and probes is waited for. */
const quick = { windowMs: 300, limit: 5 };
/** Holds long enough for a job to be put behind the others meanwhile, as those of a whole window are. */
const longer = { windowMs: 1_800, limit: 8 };
/** Longer still, where the order of the probes is asserted: on a busy machine moving a job takes its time. */
const longest = { windowMs: 3_600, limit: 8 };

describe('a call that is refused', () => {
  const suite = useBench(useEmbeddedRedis());

  async function acceptMany(count: number) {
    const accepted: { requestId: string; taskId: string }[] = [];
    for (let i = 0; i < count; i += 1) accepted.push(await suite.bench.accept());
    return accepted;
  }
  const statusesOf = async (accepted: readonly { requestId: string }[]) =>
    Promise.all(accepted.map(async ({ requestId }) => (await suite.bench.read(requestId)).status));
  const machineOf = async ({ requestId }: { requestId: string }) =>
    (await suite.bench.read(requestId)).machineId ?? '';
  const callsTo = (machineId: string) => suite.defender.calls.filter((called) => called === machineId).length;

  for (const [what, answer, code] of [
    ['403 by Defender', forbidden, 'DisallowedOperation: not for this device group'],
    ['403 by a gateway', answerPage(403), undefined],
    ['404 by a gateway', answerPage(404), undefined],
    ['401', answerStatus(401, {}, 'no', 'Unauthorized'), 'Unauthorized: no'],
    ['410', answerPage(410), undefined],
    ['429', throttled, '429: quota exceeded'],
  ] as const) {
    it(`for one machine alone, with ${what}, costs three slots at most; all others are started`, async () => {
      const worker = await suite.openWorker(quick);
      const accepted = await acceptMany(25);
      const [bad, ...others] = accepted;
      const badMachine = await machineOf(bad!);
      suite.defender.answer = (call) => (call.machineId === badMachine ? answer : answerStarted)(call);
      const loop = await worker.startLoop();
      await waitFor(
        async () =>
          (await statusesOf(accepted)).every((status) => status !== 'queued' && status !== 'dispatching'),
        {
          what: 'an end of all of them',
          timeoutMs: 20_000,
        },
      );
      await loop.stop();
      assert.ok((await statusesOf(others)).every((status) => status === 'started'));
      assert.ok(callsTo(badMachine) <= 3, `${callsTo(badMachine)} calls`);
      const { status, error, attempts } = await suite.bench.read(bad!.requestId);
      assert.deepEqual([status, error?.code, attempts], ['failed', 'call_refused', 1]);
      assert.match(
        error?.message ?? '',
        /^Defender refuses the call for this machine \(HTTP \d{3}\) while it takes/,
      );
      if (code !== undefined) assert.ok(error?.message.endsWith(`It says: ${code}`), error?.message);
      assert.equal((await worker.ledger.snapshot()).isEndUnknown, undefined, 'the path is well');
    });
  }

  it('for three machines costs three slots each, and they delay no other machine', async () => {
    const worker = await suite.openWorker(quick);
    const bad = await acceptMany(3);
    const others = await acceptMany(40);
    const badMachines = await Promise.all(bad.map(machineOf));
    suite.defender.answer = (call) =>
      (badMachines.includes(call.machineId) ? forbidden : answerStarted)(call);
    const loop = await worker.startLoop();
    await waitFor(async () => (await statusesOf(bad)).every((status) => status === 'failed'), {
      what: 'an end of those that are refused',
      timeoutMs: 20_000,
    });
    await waitFor(async () => (await statusesOf(others)).every((status) => status === 'started'), {
      what: 'the others',
    });
    await loop.stop();
    for (const machine of badMachines) assert.ok(callsTo(machine) <= 3, `${callsTo(machine)} calls`);
  });

  for (const [what, answer] of [
    ['403', forbidden],
    ['404 by a gateway', answerPage(404)],
    ['429', throttled],
    ['401', answerStatus(401)],
    ['431', answerPage(431)],
  ] as const satisfies readonly (readonly [string, Answer])[]) {
    it(`for every machine, with ${what}, loses no request: one probe at a time, each time another one`, async () => {
      const quota = what === '403' ? longest : longer;
      const workers = await Promise.all([suite.openWorker(quota), suite.openWorker(quota)]);
      const accepted = await acceptMany(6);
      let underWay = 0;
      let most = 0;
      suite.defender.answer = (call) => {
        underWay += 1;
        most = Math.max(most, underWay);
        // Time in which another call would be seen, were there one; a signal for none there is not.
        setTimeout(() => {
          underWay -= 1;
          answer(call);
        }, 20);
      };
      // The first one finds out; only then the path is in doubt.
      await workers[0].serveNext();
      const loops = await Promise.all(workers.map((worker) => worker.startLoop()));
      const enough = what === '429' ? 3 : 7;
      await waitFor(() => suite.defender.calls.length >= enough, { what: 'probes', timeoutMs: 20_000 });
      assert.equal(most, 1);
      assert.deepEqual(new Set(await statusesOf(accepted)).has('failed'), false);
      // One can be in the hand of the worker that may not call, when its turn comes: then it is passed over once.
      if (what === '403') assert.ok(new Set(suite.defender.calls.slice(0, 6)).size >= 5, 'six probes');

      suite.defender.answer = answerStarted;
      await waitFor(async () => (await statusesOf(accepted)).every((status) => status === 'started'), {
        what: 'all of them started once the path is well',
        timeoutMs: 20_000,
      });
      await Promise.all(loops.map((loop) => loop.stop()));
    });
  }

  it('goes back to its place once another one was answered well', async () => {
    const worker = await suite.openWorker(quick);
    const [first, second, third] = await acceptMany(3);
    suite.defender.answer = forbidden;
    await worker.serveNext();
    assert.deepEqual(await worker.jobs.positions([first!.taskId]), [3]);
    await waitFor(async () => (await worker.hold()) === undefined, { what: 'the end of the hold' });
    suite.defender.answer = answerStarted;
    await worker.serveNext();
    assert.deepEqual(await worker.jobs.positions([first!, second!, third!].map(({ taskId }) => taskId)), [
      1,
      undefined,
      2,
    ]);
  });
});
