import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import express from 'express';
import { listen } from '@diq/runtime/http-server/http-server.ts';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import type { StateDocument } from '../live-state/read-state-document.ts';
import type { Listener, StateFeed } from '../live-state/state-feed.ts';
import { letEverybodyIn } from '../auth/authenticate.ts';
import { createBodyBudget } from '../http/body-budget.ts';
import { createRouter } from '../http/define-route.ts';
import { beginContext } from '../http/request-context.ts';
import { keys } from '../test-support/credentials.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { chooseParts } from '../test-support/choose-parts.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { listenToEvents, type EventReader } from '../test-support/listen-to-events.ts';
import { makeCall } from '../test-support/worker-moves.ts';
import { watchState } from './watch-state.ts';

describe('GET /v1/events', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '2', DEFENDER_WINDOW: '10m' });
  const open: EventReader[] = [];

  async function openStream(): Promise<EventReader> {
    const reader = await listenToEvents(intake.url, { 'X-API-Key': keys.reader });
    open.push(reader);
    return reader;
  }
  const stateOf = async (reader: EventReader) =>
    JSON.parse((await reader.next('state')).data) as StateDocument;

  afterEach(async () => {
    for (const reader of open.splice(0)) await reader.close();
  });

  it('answers as an event stream that nothing on the way may keep', async () => {
    const { response } = await openStream();
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal(response.headers.get('x-accel-buffering'), 'no');
  });

  it('tells at once what GET /v1/quota tells, and what lies behind it', async () => {
    await intake.post('/v1/investigations', item(1, { source: 'soar', priority: 'high' })).expect(202);
    const reader = await openStream();
    let state = await stateOf(reader);
    // The first one may be a second old.
    while (state.queue.queued === 0) state = await stateOf(reader);
    const { now, portal, waiting, history, next, windows, failures, ...quota } = state;
    const { value } = (await intake.get('/v1/queue/next?limit=5').expect(200)).body as { value: typeof next };
    assert.deepEqual(
      next.map(({ requestId, placement }) => [requestId, placement]),
      value.map(({ requestId, placement }) => [requestId, placement]),
    );
    assert.equal(next.length, 1);
    assert.equal(portal?.url, 'https://security.microsoft.com');
    const { body } = await intake.get('/v1/quota').expect(200);
    // Meanwhile the worker may have been seen again.
    const withoutTime = ({ nextSlotAt: _at, limits, queue: _queue, workers, ...rest }: typeof quota) => ({
      ...rest,
      limits: limits.map((limit) => ({ ...limit, nextSlotAt: undefined })),
      workers: { ...workers, lastSeenAt: undefined },
    });
    assert.deepEqual(withoutTime(quota), withoutTime(body as typeof quota));
    assert.deepEqual([quota.queue.queued, quota.queue.dispatching], [1, 0]);
    assert.ok(Math.abs(Date.parse(now) - Date.now()) < 60_000);
    assert.deepEqual(
      waiting.byPriority.map(({ priority, calls }) => [priority, calls]),
      [
        ['critical', 0],
        ['high', 1],
        ['medium', 0],
        ['low', 0],
      ],
    );
    assert.deepEqual(
      waiting.bySource.map(({ source, requests }) => [source, requests]),
      [['soar', 1]],
    );
    assert.deepEqual([history.length, history[0]?.queued, history.at(-1)?.queued], [289, 0, 1]);
    assert.deepEqual(quota.results, {
      open: 0,
      byOutcome: { running: 0, succeeded: 0, failed: 0, cancelled: 0, unknown: 0 },
    });
    assert.equal(windows.length, 24);
    assert.deepEqual(failures, []);
  });

  it('tells every listener of a call and of a failure, without being asked again', async () => {
    const readers = [await openStream(), await openStream()];
    for (const reader of readers) await stateOf(reader);
    await intake.post('/v1/investigations', item(2)).expect(202);
    const error = { code: 'machine_not_found', message: 'Defender does not know this machine.' } as const;
    await makeCall(intake, machineId(2), { status: 'failed', attempts: 1, error });
    for (const reader of readers) {
      let state = await stateOf(reader);
      while (state.failures.length === 0) state = await stateOf(reader);
      assert.equal(state.used, 1);
      assert.deepEqual(state.windows.at(-1)?.calls, { failed: 1 });
      assert.deepEqual(
        state.failures.map(({ machineId, status, error }) => [machineId, status, error]),
        [[machineId(2), 'failed', error]],
      );
    }
  });

  it('answers HEAD without a stream', async () => {
    const { status } = await fetch(`${intake.url}/v1/events`, {
      method: 'HEAD',
      headers: { 'X-API-Key': keys.reader },
    });
    assert.equal(status, 200);
  });

  it('is no duration in the metrics: a listener of hours waits for nothing', async () => {
    const reader = await openStream();
    await stateOf(reader);
    await reader.close();
    const { text } = await intake.anonymously().get('/metrics');
    assert.doesNotMatch(text, /v1\/events/);
  });
});

const readers: EventReader[] = [];
async function openStream(url: string, key: string): Promise<void> {
  const reader = await listenToEvents(url, { 'X-API-Key': key });
  readers.push(reader);
  await reader.next('state');
}
async function closeAll(): Promise<void> {
  for (const reader of readers.splice(0)) await reader.close();
}

describe('GET /v1/events while as many listen as may', () => {
  // Callers have no names there: any of them may be any caller's.
  const intake = useIntake(useEmbeddedRedis(), { INTAKE_AUTH: 'off' });
  after(closeAll);

  it('refuses the 201st listener, and takes another one when one has gone', async () => {
    for (let i = 0; i < 20; i += 1) {
      await Promise.all(Array.from({ length: 10 }, () => openStream(intake.url, keys.reader)));
    }
    const refused = await intake.get('/v1/events');
    expectProblem(refused, 'too_many_listeners');
    assert.equal(refused.headers['retry-after'], '30');
    await readers.pop()?.close();
    // It has gone once the service has seen its connection close.
    for (;;) {
      const response = await fetch(`${intake.url}/v1/events`, { headers: { 'X-API-Key': keys.reader } });
      await response.body?.cancel();
      if (response.status === 200) return;
    }
  });
});

describe('GET /v1/events while as many of one caller listen as may', () => {
  const intake = useIntake(useEmbeddedRedis());
  after(closeAll);

  it('refuses the 21st listener of that caller, and lets another caller listen', async () => {
    await Promise.all(Array.from({ length: 20 }, () => openStream(intake.url, keys.reader)));
    const refused = await intake.as('reader', 'get', '/v1/events');
    assert.match(
      expectProblem(refused, 'too_many_listeners').detail ?? '',
      /^Too many of your event streams are open/,
    );
    assert.equal(refused.headers['retry-after'], '30');
    await openStream(intake.url, keys.playbook);
  });
});

describe('a listener that does not read', () => {
  it('is cut, instead of being kept in memory', async () => {
    let listener: Listener | undefined;
    let hasStopped = false;
    const stateFeed: StateFeed = {
      show() {},
      fail() {},
      isListenedTo: () => false,
      endAll() {},
      close() {},
      listen(one) {
        listener = one;
        one.send(': welcome\n\n');
        return Promise.resolve(() => (hasStopped = true));
      },
    };
    const shared = {
      bodyBudget: createBodyBudget(),
      once: letEverybodyIn,
      choose: chooseParts({ stateFeed }),
    };
    const app = express()
      .use(beginContext(createLogger({ level: 'silent', service: 'test' })), letEverybodyIn)
      .use(createRouter([watchState], { stateFeed }, shared));
    const server = await listen(app, { port: 0, host: '127.0.0.1' });
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET /v1/events HTTP/1.1\r\nHost: test\r\n\r\n');
    await once(socket, 'data');
    socket.pause();

    const text = `: ${'x'.repeat(64 * 1_024)}\n\n`;
    // More than the sockets' own buffers hold.
    for (let i = 0; i < 2_000 && !hasStopped; i += 1) {
      listener?.send(text);
      await new Promise(setImmediate);
    }
    socket.destroy();
    await server.close();
    assert.ok(hasStopped);
  });
});

describe('a listener while the intake is stopped', () => {
  let reader: EventReader | undefined;
  let log: readonly Record<string, unknown>[] = [];

  describe('and was listening', () => {
    const intake = useIntake(useEmbeddedRedis());

    it('gets the state', async () => {
      reader = await listenToEvents(intake.url, { 'X-API-Key': keys.reader });
      await reader.next('state');
      log = intake.log;
    });
  });

  describe('after it was stopped', () => {
    it('has seen the stream end in order, and did not hold up the stop', async () => {
      assert.ok(reader, 'it was listening');
      await reader.ended();
      const said = log.map(({ msg }) => msg);
      assert.deepEqual([said.includes('closed'), said.includes('closing timed out')], [true, false]);
    });
  });
});
