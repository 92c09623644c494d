import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keys } from '../../test-support/credentials.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { listenToEvents } from '../../test-support/listen-to-events.ts';
import type { EventReader } from '../../test-support/listen-to-events.ts';
import { makeCall } from '../../test-support/worker-moves.ts';
import type { StateDocument } from '../../live-state/read-state-document.ts';

describe('GET /v1/events', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '2', DEFENDER_WINDOW: '10m' });
  const open: EventReader[] = [];

  async function listen(): Promise<EventReader> {
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
    const { response } = await listen();
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal(response.headers.get('x-accel-buffering'), 'no');
  });

  it('tells at once what GET /v1/quota tells, and what lies behind it', async () => {
    await intake.post('/v1/investigations', item(1, { source: 'soar', priority: 'high' })).expect(202);
    const reader = await listen();
    let state = await stateOf(reader);
    // The first one may be a second old.
    while (state.queue.queued === 0) state = await stateOf(reader);
    const { now, waiting, windows, failures, ...quota } = state;
    const { body } = await intake.get('/v1/quota').expect(200);
    const withoutTime = ({ nextSlotAt: _at, queue: _queue, ...rest }: typeof quota) => rest;
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
    assert.equal(windows.length, 24);
    assert.deepEqual(failures, []);
  });

  it('tells every listener of a call and of a failure, without being asked again', async () => {
    const readers = [await listen(), await listen()];
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

  it('is no duration in the metrics: somebody who listens for hours waits for nothing', async () => {
    const reader = await listen();
    await stateOf(reader);
    await reader.close();
    const { text } = await intake.anonymously().get('/metrics');
    assert.doesNotMatch(text, /v1\/events/);
  });
});
