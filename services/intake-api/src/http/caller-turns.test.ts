import assert from 'node:assert/strict';
import { once } from 'node:events';
import express, { type Response } from 'express';
import { listen } from '@diq/runtime/http-server/http-server.ts';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import type { keys } from '../test-support/credentials.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item } from '../test-support/items.ts';
import { letEverybodyIn } from '../auth/authenticate.ts';
import type { Dependencies } from '../dependencies.ts';
import { cancelInvestigations } from '../routes/cancel-investigations.ts';
import { createBodyBudget } from './body-budget.ts';
import { inTurn } from './caller-turns.ts';
import { chooseParts } from '../test-support/choose-parts.ts';
import { createRouter } from './define-route.ts';
import { answerWithProblem } from './middleware/problem-response.ts';
import { beginContext } from './request-context.ts';

describe('what takes long and is asked for at once', () => {
  const here = { destroyed: false };

  it('is done one after the other for each caller, whatever becomes of the one before, and at once for different callers', async () => {
    const begun: string[] = [];
    const ends = new Map<string, { good: () => void; bad: (error: Error) => void }>();
    const ask = (caller: string, page: string, response = here) =>
      inTurn(
        caller,
        response,
        () =>
          new Promise<void>((resolve, reject) => {
            begun.push(page);
            ends.set(page, { good: resolve, bad: reject });
          }),
      );
    const gone = { destroyed: false };
    const [first, second, left, last] = [
      ask('one', 'first'),
      ask('one', 'second'),
      ask('one', 'left', gone),
      ask('one', 'last'),
    ];
    const other = ask('other', 'of another');
    await new Promise(setImmediate);
    assert.deepEqual(begun, ['first', 'of another']);
    ends.get('first')?.bad(new Error('away'));
    await assert.rejects(first, /away/);
    await new Promise(setImmediate);
    assert.deepEqual(begun, ['first', 'of another', 'second']);
    gone.destroyed = true;
    ends.get('second')?.good();
    await second;
    // Its request is answered with that, which lets its body go.
    await assert.rejects(left, { code: 'intake_busy' });
    await new Promise(setImmediate);
    assert.deepEqual(begun, ['first', 'of another', 'second', 'last']);
    for (const page of ['last', 'of another']) ends.get(page)?.good();
    await Promise.all([last, other]);
  });
});

describe('a route that takes long where many fit', () => {
  const intake = useIntake(useEmbeddedRedis());
  const others = Array.from({ length: 10 }, () => 'of another');
  const soon = () => new Date(Date.now() + 60_000).toISOString();
  const routes: [name: string, turn: string, path: string, body?: () => object][] = [
    ['a page of a list', 'playbook', '/v1/investigations'],
    ['a page of a batch', 'playbook', '/v1/batches/{id}/items'],
    ['cancelling by filter', 'submitter', '/v1/investigations/cancel', () => ({ source: 'soar' })],
    ['cancelling a batch', 'playbook', 'DELETE /v1/batches/{id}'],
    ['a change', 'playbook change', 'PATCH /v1/investigations/{request}', () => ({ priority: 'low' })],
    ['deleting what has ended', 'operator', '/v1/investigations/purge', () => ({ caller: 'playbook' })],
    ['a dry run', 'submitter', '/v1/batches?dryRun=true', () => ({ requests: [item(2)] })],
    [
      'a look at deadlines',
      'submitter',
      '/v1/batches',
      () => ({ requests: Array.from({ length: 200 }, (_, n) => item(n, { notAfter: soon() })) }),
    ],
  ];
  for (const [name, turn, route, body] of routes) {
    const key = turn.replace(' change', '') as keyof typeof keys;
    it(`waits for its turn with what else its caller asked for, and no other caller does: ${name}`, async () => {
      const requests = [item(1, { source: 'soar' })];
      const { body: batch } = await intake.post('/v1/batches', { requests }).expect(202);
      const { id, items } = batch as { id: string; items: { id: string }[] };
      let endTurn = () => {};
      const before = inTurn(turn, { destroyed: false }, () => new Promise<void>((end) => (endTurn = end)));
      const [, word, path = ''] = /^(?:([A-Z]+) )?(.*)$/.exec(route) ?? [];
      const asking = path.replace('{id}', id).replace('{request}', items[0]?.id ?? '');
      const method = (word?.toLowerCase() ?? (body ? 'post' : 'get')) as 'get' | 'post' | 'patch' | 'delete';
      const answers: string[] = [];
      const asked = intake
        .as(key, method, asking, body?.())
        .then(({ status }) => answers.push(`own ${status}`));
      for (let n = 0; n < others.length; n += 1) {
        await intake.as('reader', 'get', '/v1/investigations').expect(200);
        answers.push('of another');
      }
      endTurn();
      await Promise.all([before, asked]);
      assert.deepEqual(
        answers.map((answer) => answer.replace(/ 20[02]$/, '')),
        [...others, 'own'],
      );
    });
  }
});

describe('a client that leaves before its turn', () => {
  it('has nothing done, and its body is let go', async () => {
    const budget = createBodyBudget({ processBytes: 100_000, callerBytes: 90_000 });
    const body = JSON.stringify({ source: 'soar' }).padEnd(40_000);
    let [onArrival, done] = [() => {}, 0];
    const bodyBudget: typeof budget = {
      open(...about) {
        const share = budget.open(...about);
        const arrived = () => {
          onArrival();
          return share.arrived();
        };
        return { ...share, arrived };
      },
    };
    const cancel = () => Promise.resolve({ cancelled: (done += 1), alreadyDispatched: 0, remaining: false });
    const deps = { actions: { bulkCancel: { cancel } } } as unknown as Dependencies;
    let latest: Response | undefined;
    const app = express()
      .use(beginContext(createLogger({ level: 'silent', service: 'test' })), letEverybodyIn)
      .use((_request, response, next) => (latest = response) && next())
      .use(
        createRouter([cancelInvestigations], deps, {
          bodyBudget,
          once: letEverybodyIn,
          choose: chooseParts(deps),
        }),
      )
      .use(answerWithProblem);
    const server = await listen(app, { port: 0, host: '127.0.0.1' });
    const ask = (signal?: AbortSignal) =>
      fetch(`http://127.0.0.1:${server.port}/v1/investigations/cancel`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body,
        ...(signal && { signal }),
      });
    let endTurn = () => {};
    const before = inTurn('anybody', { destroyed: false }, () => new Promise<void>((end) => (endTurn = end)));
    for (let n = 0; n < 2; n += 1) {
      const [arrived, leave] = [new Promise<void>((resolve) => (onArrival = resolve)), new AbortController()];
      const asked = ask(leave.signal);
      await arrived;
      assert.ok(latest);
      const closed = once(latest, 'close');
      leave.abort();
      await assert.rejects(asked);
      await closed;
    }
    endTurn();
    await before;
    await inTurn('anybody', { destroyed: false }, () => new Promise(setImmediate));
    const { status } = await ask();
    await server.close();
    assert.deepEqual([status, done], [200, 1]);
  });
});
