import assert from 'node:assert/strict';
import { oneLimit } from '@diq/quota/test-support/one-limit.ts';
import { randomUUID } from 'node:crypto';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { startsWithin } from './admission-control.ts';
import { sha256 } from '../test-support/credentials.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake, type IntakeUnderTest } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { postOnce } from '../test-support/replays.ts';
import { taskFor, makeCall } from '../test-support/worker-moves.ts';

const batchOf = (...numbers: number[]) => ({ requests: numbers.map((number) => item(number)) });
const range = (from: number, size: number) => Array.from({ length: size }, (_, i) => from + i);

async function queued(intake: IntakeUnderTest): Promise<number> {
  const { body } = await intake.get('/v1/quota').expect(200);
  return (body as { queue: { queued: number } }).queue.queued;
}

describe('a POST when as many requests wait as may (INTAKE_MAX_BACKLOG)', () => {
  const redis = useEmbeddedRedis();
  const env = {
    AZURE_TENANT_ID: randomUUID(),
    INTAKE_MAX_BACKLOG: '10',
    DEFENDER_CALLS_PER_WINDOW: '1',
    DEFENDER_WINDOW: '1m',
  };
  const intake = useIntake(redis, env);
  const replica = useIntake(redis, env);
  const stored = async () =>
    (await redis.client.keys('*')).filter((key) => /:(?:request|task|batch|machine):/.test(key)).toSorted();
  const flush = async () => {
    await redis.flush();
    await intake.ledger.open();
    await intake.ledger.endColdStart();
  };
  beforeEach(flush);

  it('is refused as a whole, with nothing of it recorded, and a smaller one fits', async () => {
    await intake.post('/v1/batches', batchOf(...range(0, 8))).expect(202);
    const before = await stored();
    expectProblem(await intake.post('/v1/batches', batchOf(20, 21, 22)), 'backlog_full');
    assert.deepEqual(await stored(), before);
    await intake
      .post('/v1/batches', { requests: [item(20), item(21), { comment: 'refuses itself' }] })
      .expect(202);
    const { detail } = expectProblem(await intake.post('/v1/investigations', item(22)), 'backlog_full');
    assert.match(detail ?? '', /^10 requests are waiting, 1 were posted, and settings and quota allow 10;/);
    assert.equal(await queued(intake), 10);
  });

  it('counts requests that would join others', async () => {
    await intake.post('/v1/batches', batchOf(...range(0, 10))).expect(202);
    expectProblem(await intake.post('/v1/investigations', item(0)), 'backlog_full');
  });

  it('leaves the intake ready, and all that only reads', async () => {
    await intake.post('/v1/batches', batchOf(...range(0, 10))).expect(202);
    await intake.anonymously().get('/readyz').expect(200);
    await intake.get('/v1/quota').expect(200);
  });

  it('tells when enough calls will have started for it', async () => {
    await intake.post('/v1/batches', batchOf(...range(0, 10))).expect(202);
    await makeCall(intake, machineId(0), { status: 'started', attempts: 1 });
    await intake.post('/v1/investigations', item(30)).expect(202);
    const { body } = await intake.get('/v1/quota');
    const nextSlotInMs = Date.parse((body as { nextSlotAt: string }).nextSlotAt) - Date.now();
    const refused = await intake.post('/v1/batches', batchOf(31, 32));
    expectProblem(refused, 'backlog_full');
    // Two have to start: one at the next slot, one a window later.
    const expectedSeconds = Math.ceil((nextSlotInMs + 60_000) / 1_000);
    const seconds = Number(refused.headers['retry-after']);
    assert.ok(Math.abs(seconds - expectedSeconds) <= 2, `${seconds} for ${expectedSeconds}`);
  });

  it('is taken again once there is room', async () => {
    await intake.post('/v1/batches', batchOf(...range(0, 10))).expect(202);
    const key = randomUUID();
    expectProblem(await postOnce(intake, '/v1/investigations', item(40), key), 'backlog_full');
    const waiting = await taskFor(intake, machineId(0));
    await intake.tasks.endWaiting(waiting, { status: 'cancelled', attempts: 0 });
    // Refused, its key stands for nothing yet.
    await postOnce(intake, '/v1/investigations', item(41), key).expect(202);
  });

  it('lets no two at the same time pass the bound together, at whichever intakes they arrive', async () => {
    const answers = await Promise.all(
      range(0, 12).map((number) =>
        (number % 2 === 0 ? intake : replica).post('/v1/batches', batchOf(...range(100 + 3 * number, 3))),
      ),
    );
    const accepted = answers.filter(({ status }) => status === 202).length;
    assert.ok(accepted >= 1 && accepted <= 3, `${accepted} accepted`);
    assert.equal(await queued(intake), 3 * accepted);
    for (const answer of answers.filter(({ status }) => status !== 202))
      expectProblem(answer, 'backlog_full');
    assert.deepEqual(await redis.client.keys('*:reservations'), [], 'no room stays reserved');
  });
});

describe('a POST of an operation that takes turns with others on a machine, when as many requests wait as may', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis, {
    DEFENDER_OPERATION: 'restrictCodeExecution',
    INTAKE_MAX_BACKLOG: '2',
    INTAKE_API_KEYS: `responder:respond+read:${sha256('responder')}`,
  });
  const post = (number: number, key: string = randomUUID()) =>
    intake
      .anonymously()
      .post('/v1/requests')
      .set({ 'X-API-Key': 'responder', 'Idempotency-Key': key })
      .send(item(number));
  const places = async () => (await redis.client.keys('*:order:*')).length;

  it('leaves no place on the machine where it is refused, and one where it is recorded', async () => {
    const key = randomUUID();
    await post(1, key).expect(202);
    await post(2).expect(202);
    expectProblem(await post(3), 'backlog_full');
    assert.equal(await places(), 2);
    await post(1, key).expect(202);
    assert.deepEqual(await redis.client.keys('*:reservations'), [], 'no room stays reserved');
  });

  it('leaves none either where what failed is asked for again in bulk and refused', async () => {
    const retryAll = () =>
      intake
        .anonymously()
        .post('/v1/requests/retry')
        .set('X-API-Key', 'responder')
        .send({ status: 'failed' });
    await redis.flush();
    await intake.ledger.open();
    await intake.ledger.endColdStart();
    await post(1).expect(202);
    await makeCall(intake, machineId(1), { status: 'failed', attempts: 1 });
    for (const key of await redis.client.keys('*:order:*')) await redis.client.del(key);
    const { body } = await post(2).expect(202);
    await post(3).expect(202);
    expectProblem(await retryAll(), 'backlog_full');
    assert.equal(await places(), 2);
    await intake
      .anonymously()
      .delete(`/v1/requests/${(body as { id: string }).id}`)
      .set('X-API-Key', 'responder')
      .expect(200);
    assert.equal(((await retryAll().expect(200)).body as { retried: number }).retried, 1);
    assert.equal(await places(), 3);
    assert.deepEqual(await redis.client.keys('*:reservations'), [], 'no room stays reserved');
  });
});

describe('a POST when one caller has as many queued as it may (INTAKE_MAX_BACKLOG_PER_CALLER)', () => {
  const intake = useIntake(useEmbeddedRedis(), { INTAKE_MAX_BACKLOG_PER_CALLER: '3' });

  it('is refused to that caller alone, and says that they are its own', async () => {
    await intake.post('/v1/batches', batchOf(1, 2)).expect(202);
    expectProblem(await intake.post('/v1/batches', batchOf(3, 4)), 'backlog_full');
    await intake.post('/v1/investigations', item(3)).expect(202);
    const refused = await intake.post('/v1/investigations', item(4));
    assert.match(
      expectProblem(refused, 'backlog_full').detail ?? '',
      /^3 requests of yours are waiting, 1 were posted, and settings and quota allow 3 of yours;/,
    );
    assert.ok(Number(refused.headers['retry-after']) > 0);
    await intake.as('submitter', 'post', '/v1/batches', batchOf(4, 5, 6)).expect(202);
  });
});

describe('a POST when all that waits would take too long (INTAKE_MAX_DRAIN)', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis, {
    INTAKE_MAX_DRAIN: '2h',
    DEFENDER_CALLS_PER_WINDOW: '2',
    DEFENDER_WINDOW: '1h',
  });

  it('is refused unless all of it can be started in that time', async () => {
    // Slots open now, in one hour and in two, two at a time.
    expectProblem(await intake.post('/v1/batches', batchOf(...range(0, 7))), 'backlog_full');
    await intake.post('/v1/batches', batchOf(...range(0, 6))).expect(202);
    const refused = await intake.post('/v1/investigations', item(20));
    const { detail } = expectProblem(refused, 'backlog_full');
    assert.match(detail ?? '', /^6 requests are waiting, 1 were posted, and settings and quota allow 6;/);
  });

  it('is refused while a pause has no end', async () => {
    await makeCall(intake, machineId(0), { status: 'started', attempts: 1 });
    await intake.ledger.hold('paused', Number.MAX_SAFE_INTEGER / 2);
    const refused = await intake.post('/v1/investigations', item(30));
    expectProblem(refused, 'backlog_full');
    assert.equal(refused.headers['retry-after'], '60');
  });
});

describe('the calls that start within a time', () => {
  const view: LedgerSnapshot = {
    nowMs: 1_000_000,
    limits: oneLimit(3, 60_000, [{ freeAtMs: 1_030_000 }]),
    isLost: false,
    slotsInUse: [{ freeAtMs: 1_030_000, call: undefined }],
    hold: undefined,
    holdsOn: [],
  };

  it('are those whose slots open in it, and no more than asked for', () => {
    const expected: [number, number][] = [
      [0, 2],
      [29_999, 2],
      [30_000, 3],
      [59_999, 3],
      [60_000, 5],
      [90_000, 6],
      [86_400_000, 1_000],
    ];
    for (const [durationMs, starts] of expected) {
      assert.equal(startsWithin(view, durationMs, 1_000), starts, `${durationMs} ms`);
    }
  });

  it('are as many while no worker is alive: what is accepted waits for one', () => {
    assert.equal(startsWithin({ ...view, workers: { alive: 0 } }, 30_000, 1_000), 3);
  });

  it('are none while a hold is on that ends later', () => {
    const held = { ...view, hold: { reason: 'throttled', untilMs: 1_100_000 }, holdsOn: ['throttled'] };
    assert.equal(startsWithin(held, 90_000, 1_000), 0);
    assert.equal(startsWithin(held, 100_000, 1_000), 3);
  });
});
