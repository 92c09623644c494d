import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { denied, granted } from '../defender/test-support/token-endpoint.ts';
import { answerInTurn, answerStarted, answerStatus, type Answer } from '../test-support/defender.ts';
import { useBench } from '../test-support/use-bench.ts';

describe('a task and its token', () => {
  const suite = useBench(useEmbeddedRedis());
  const tokens: string[] = [];
  beforeEach(() => void tokens.splice(0));

  function noting(answer: Answer): Answer {
    return (call) => {
      tokens.push(call.token);
      answer(call);
    };
  }

  it('is called again in its place with a new token after a 401, and no hold is set', async () => {
    suite.defender.answer = noting(answerInTurn(answerStatus(401), answerStarted));
    const worker = await suite.openWorker();
    const { requestId, taskId } = await suite.bench.accept();
    assert.equal(await worker.serveNext(), 'kept');
    assert.equal((await suite.bench.read(requestId)).status, 'queued');
    assert.deepEqual(await worker.jobs.positions([taskId]), [1]);
    assert.equal((await worker.hold())?.reason, undefined);

    await worker.serveNext();
    const { status, attempts } = await suite.bench.read(requestId);
    assert.deepEqual([status, attempts], ['started', 1]);
    assert.deepEqual(tokens, ['secret-token-1', 'secret-token-2']);
    assert.equal(await worker.used(), 2);
  });

  it('waits for an administrator when the new token is answered 401 too', async () => {
    suite.defender.answer = noting(answerStatus(401));
    const worker = await suite.openWorker();
    const { requestId } = await suite.bench.accept();
    await worker.serveNext();
    assert.equal(await worker.serveNext(), 'kept');
    assert.equal((await suite.bench.read(requestId)).status, 'queued');
    assert.equal((await worker.hold())?.reason, 'not_allowed');
    assert.deepEqual(tokens, ['secret-token-1', 'secret-token-2']);
  });

  it('has a second try with a new token again once one was accepted', async () => {
    suite.defender.answer = noting(answerInTurn(answerStatus(401), answerStarted, answerStatus(401)));
    const worker = await suite.openWorker();
    await suite.bench.accept();
    await suite.bench.accept();
    for (let call = 0; call < 3; call += 1) await worker.serveNext();
    assert.deepEqual(tokens, ['secret-token-1', 'secret-token-2', 'secret-token-2']);
    assert.equal((await worker.hold())?.reason, undefined);
  });

  it('loses nothing by a token that no header can carry, and is called once Entra ID is well again', async () => {
    suite.entra.endpoint.reply = () => granted('secret-token\n');
    const worker = await suite.openWorker();
    const { requestId } = await suite.bench.accept();
    assert.equal(await worker.serveNext(), 'released');
    const { status, attempts, error } = await suite.bench.read(requestId);
    assert.deepEqual([status, attempts, error], ['queued', 0, undefined]);
    assert.deepEqual([await worker.used(), (await worker.hold())?.reason], [0, 'no_token']);
    assert.deepEqual(suite.defender.calls, []);

    suite.entra.endpoint.reply = (_form, count) => granted(`secret-token-${count}`);
    await suite.bench.redis.del(`${suite.bench.keySpace}:holds`);
    await worker.serveNext();
    assert.equal((await suite.bench.read(requestId)).status, 'started');
  });

  it('spends nothing while Entra ID refuses, and no worker asks again for a while', async () => {
    suite.entra.endpoint.reply = () => denied(401, 'invalid_client', 7_000_215);
    const worker = await suite.openWorker();
    const { requestId, taskId } = await suite.bench.accept();
    assert.equal(await worker.serveNext(), 'released');
    assert.equal(await worker.used(), 0);
    assert.equal((await worker.hold())?.reason, 'no_token');
    assert.equal((await suite.bench.read(requestId)).status, 'queued');
    assert.deepEqual(await worker.jobs.positions([taskId]), [1]);
    assert.deepEqual(suite.defender.calls, []);
    const { values } = await worker.metrics.tokenRequests.get();
    assert.equal(values.find(({ labels }) => labels['outcome'] === 'rejected')?.value, 1);
  });

  it('waits as long as Entra ID asks', async () => {
    suite.entra.endpoint.reply = () => ({ status: 503, body: 'busy', headers: { 'retry-after': '20' } });
    const worker = await suite.openWorker();
    await suite.bench.accept();
    await worker.serveNext();
    const { hold, nowMs } = await worker.ledger.snapshot();
    assert.equal(hold?.reason, 'no_token');
    assert.ok(hold.untilMs - nowMs > 18_000 && hold.untilMs - nowMs <= 20_000);
  });

  it('waits also when Entra ID asks to be asked again at once', async () => {
    suite.entra.endpoint.reply = () => ({ status: 503, body: 'busy', headers: { 'retry-after': '0' } });
    const worker = await suite.openWorker();
    await suite.bench.accept();
    await worker.serveNext();
    const { hold, nowMs } = await worker.ledger.snapshot();
    assert.ok(hold && hold.untilMs - nowMs > 500);
  });
});
