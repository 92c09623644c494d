import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import express, { type RequestHandler } from 'express';
import request from 'supertest';
import { createIdempotencyStore } from '@diq/queue/admission/idempotency-store.ts';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { errorCatalogue } from '../http/error-catalogue.ts';
import { createBodyBudget } from '../http/body-budget.ts';
import { beginContext, contextOf } from '../http/request-context.ts';
import { ProblemError } from '../http/problem-error.ts';
import { logAccess } from '../http/middleware/access-log.ts';
import { letEverybodyIn } from '../auth/authenticate.ts';
import { chooseParts } from '../test-support/choose-parts.ts';
import { idempotent } from './idempotency.ts';
import { answerWithProblem } from '../http/middleware/problem-response.ts';
import { requireJson } from '../http/middleware/require-json.ts';

const leaseMs = 150;

describe('the handler behind an Idempotency-Key', () => {
  const redis = useEmbeddedRedis();
  beforeEach(() => redis.flush());

  const logger = createLogger({ level: 'silent', service: 'test' });
  function appWith(handler: RequestHandler) {
    const store = createIdempotencyStore(redis.client, 'test:{queue}', { leaseMs, keepMs: 60_000 });
    return express()
      .use(beginContext(logger), logAccess(logger))
      .use(letEverybodyIn)
      .post(
        '/',
        requireJson(1_000, createBodyBudget()),
        chooseParts({}, store).queue('body'),
        idempotent(new AbortController().signal),
        handler,
      )
      .use(answerWithProblem);
  }
  const post = (app: ReturnType<typeof appWith>, path = '/') =>
    request(app).post(path).set('Idempotency-Key', 'key').send({ body: 1 });

  it('has the key for as long as it takes, far beyond one lease', async () => {
    const gate = new AbortController();
    let calls = 0;
    const app = appWith(async (_request, response) => {
      calls += 1;
      await once(gate.signal, 'abort');
      response.status(202).json({ calls });
    });
    const slow = post(app).then((answer) => answer);
    await waitFor(() => calls, { what: 'the handler to begin' });
    const endMs = performance.now() + 4 * leaseMs;
    while (performance.now() < endMs) assert.equal((await post(app)).status, 409);
    gate.abort();
    assert.deepEqual((await slow).body, { calls: 1 });
    assert.deepEqual((await post(app).expect(202)).body, { calls: 1 });
  });

  it('is called again after it failed, with the time and the ids of the first time', async () => {
    const attempts: unknown[] = [];
    const app = appWith((_request, response) => {
      const { nowMs, ids } = contextOf(response).submission;
      attempts.push([nowMs, ids.batch, ids.request(7), ids.task(7)]);
      if (attempts.length < 3) throw new Error('broke off');
      response.status(202).json({ attempts: attempts.length });
    });
    await post(app).expect(500);
    await post(app).expect(500);
    await post(app).expect(202);
    await post(app).expect(202);
    assert.equal(attempts.length, 3);
    assert.deepEqual(attempts, [attempts[0], attempts[0], attempts[0]]);
  });

  for (const refusal of ['deadline_unreachable', 'backlog_full'] as const) {
    it(`keeps the ids of an attempt that broke off although the next one was refused (${refusal})`, async () => {
      const seen: string[] = [];
      const app = appWith((_request, response) => {
        seen.push(contextOf(response).submission.ids.request(0));
        if (seen.length === 1) throw new Error('broke off, a part of it is recorded');
        if (seen.length === 2) throw new ProblemError(refusal);
        response.status(202).json({});
      });
      await post(app).expect(500);
      await post(app).expect(errorCatalogue[refusal].status);
      await post(app).expect(202);
      assert.deepEqual(seen, [seen[0], seen[0], seen[0]]);
    });
  }

  it('has its answer kept when its client is gone', async () => {
    const gate = new AbortController();
    let calls = 0;
    const app = appWith(async (_request, response) => {
      calls += 1;
      await once(gate.signal, 'abort');
      response.status(202).json({ calls });
    });
    const server = app.listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const leaving = new AbortController();
      const { port } = server.address() as { port: number };
      const ask = (signal?: AbortSignal) =>
        fetch(`http://127.0.0.1:${port}/`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'key' },
          body: '{"body":1}',
          ...(signal ? { signal } : {}),
        });
      const left = assert.rejects(ask(leaving.signal), { name: 'AbortError' });
      await waitFor(() => calls, { what: 'the handler to begin' });
      leaving.abort();
      await left;
      gate.abort();
      const answer = await waitFor(
        async () => {
          const again = await ask();
          return again.status === 202 && again;
        },
        { what: 'the answer' },
      );
      assert.equal(answer.headers.get('idempotent-replayed'), 'true');
      assert.deepEqual(await answer.json(), { calls: 1 });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('is called for every dry run, and the key is not used up by it', async () => {
    let calls = 0;
    const app = appWith((_request, response) => void response.json({ calls: (calls += 1) }));
    assert.deepEqual((await post(app, '/?dryRun=true')).body, { calls: 1 });
    assert.deepEqual((await post(app, '/?dryRun=true')).body, { calls: 2 });
    assert.deepEqual((await post(app)).body, { calls: 3 });
    assert.deepEqual((await post(app)).body, { calls: 3 });
  });

  it('finds an answer that is too large to be kept missing, and is called again under the same ids', async () => {
    const seen: string[] = [];
    const app = appWith((_request, response) => {
      seen.push(contextOf(response).submission.ids.batch);
      const large = randomBytes(3 * 1_024 * 1_024).toString('base64');
      response.status(202).json({ large });
    });
    await post(app).expect(202);
    await post(app).expect(202);
    assert.equal(seen.length, 2);
    assert.equal(seen[0], seen[1]);
  });
});
