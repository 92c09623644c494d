import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { keySpace } from '@diq/contracts/operations.ts';
import type { TerminalStatus } from '@diq/contracts/status.ts';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { useIntake, type IntakeUnderTest } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { beginCall, endCall, loseAnswer, makeCall } from '../test-support/worker-moves.ts';
import { endStatuses, openStatuses } from './metrics.ts';

type Ended = Record<TerminalStatus, number>;

const error = { code: 'call_timeout', message: 'the answer was lost' } as const;
const started = { status: 'started', result: { kind: 'investigation', id: '7' }, attempts: 1 } as const;
const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
const tenantId = randomUUID();
const keys = storeKeys(keySpace({ tenantId, operation: 'initiateInvestigation' }));

describe('requests that ended, in the metrics of the intake', () => {
  const env = { AZURE_TENANT_ID: tenantId, DEFENDER_CALLS_PER_WINDOW: '50', REUSE_WINDOW: '1h' };
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis, env);
  const second = useIntake(redis, env);

  async function seriesOf(name: string, of: IntakeUnderTest): Promise<Record<string, number>> {
    const { text } = await of.anonymously().get('/metrics').expect(200);
    const lines = [
      ...text.matchAll(
        new RegExp(
          `^${name}\\{tenant="default",operation="initiateInvestigation",status="(\\w+)"\\} (\\d+)$`,
          'gm',
        ),
      ),
    ];
    return Object.fromEntries(lines.map(([, status = '', count]) => [status, Number(count)]));
  }
  const endedIn = (of: IntakeUnderTest) => seriesOf('diq_requests_ended_total', of) as Promise<Ended>;
  const shows = (of: IntakeUnderTest, wanted: Ended) =>
    waitFor(async () => JSON.stringify(await endedIn(of)) === JSON.stringify(wanted), {
      what: `the count of what ended to be ${JSON.stringify(wanted)}`,
      timeoutMs: 5_000,
    });
  const nothingIsOpen = () =>
    waitFor(async () => Object.values(await seriesOf('diq_requests_open', intake)).every((n) => n === 0), {
      what: 'no request to be open',
    });
  const submit = async (number: number, more: object = {}) =>
    ((await intake.post('/v1/investigations', item(number, more)).expect(202)).body as { id: string }).id;
  const submitAll = async (...requests: object[]) =>
    ((await intake.post('/v1/batches', { requests }).expect(202)).body as { id: string }).id;
  /** What an hour would do. */
  async function passDeadline(id: string): Promise<void> {
    await redis.client.hset(keys.request(id), 'notAfter', 1);
    await redis.client.zadd(keys.deadlines, 1, id);
  }

  it('are counted from zero, those that are open apart', async () => {
    const zeros = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, 0]));
    assert.deepEqual(await endedIn(intake), zeros(endStatuses));
    assert.deepEqual(await seriesOf('diq_requests_open', intake), zeros(openStatuses));
    assert.deepEqual(endStatuses, ['started', 'failed', 'unknown', 'cancelled', 'expired']);
  });

  const ways: [name: string, raises: Partial<Ended>, end: () => Promise<unknown>][] = [
    [
      'a call that starts an investigation, for each request that shares it',
      { started: 2 },
      async () => {
        await submitAll(item(1), item(1));
        await makeCall(intake, machineId(1), started);
      },
    ],
    ['reuse of that investigation at the acceptance', { started: 1 }, () => submit(1)],
    [
      'a call that fails',
      { failed: 1 },
      async () => {
        await submit(2);
        await makeCall(intake, machineId(2), { status: 'failed', error, attempts: 1 });
      },
    ],
    [
      'a lost answer of which nothing is found',
      { unknown: 1 },
      async () => {
        await submit(3);
        const call = await beginCall(intake, machineId(3));
        await loseAnswer(intake, call);
        await endCall(intake, call, { status: 'unknown', error, attempts: 1 });
      },
    ],
    [
      'a lost answer that is found, also for one that joined meanwhile',
      { started: 2 },
      async () => {
        await submit(4);
        const call = await beginCall(intake, machineId(4));
        await loseAnswer(intake, call);
        await submit(4);
        await endCall(intake, call, started);
      },
    ],
    [
      'a call that is given back first, and then made',
      { started: 1 },
      async () => {
        await submit(5);
        const { taskId, callId } = await beginCall(intake, machineId(5));
        await intake.ledger.giveBack(callId);
        assert.deepEqual(await intake.tasks.giveBack(taskId, callId), { moved: true });
        await makeCall(intake, machineId(5), started);
      },
    ],
    [
      'cancelling one, twice',
      { cancelled: 1 },
      async () => {
        const id = await submit(6);
        await intake.as('playbook', 'delete', `/v1/investigations/${id}`).expect(200);
        await intake.as('playbook', 'delete', `/v1/investigations/${id}`);
      },
    ],
    [
      'cancelling a batch',
      { cancelled: 2 },
      async () => {
        const id = await submitAll(item(7), item(8), { comment: 'refused' });
        await intake.as('playbook', 'delete', `/v1/batches/${id}`).expect(200);
      },
    ],
    [
      'cancelling by a filter',
      { cancelled: 3 },
      async () => {
        await submitAll(...[9, 10, 10].map((number) => item(number, { source: 'wrong' })));
        await intake.post('/v1/investigations/cancel', { source: 'wrong' }).expect(200);
      },
    ],
    [
      'a deadline in the queue',
      { expired: 1 },
      async () => {
        const id = await submit(11, { notAfter: inAnHour });
        await passDeadline(id);
        assert.deepEqual((await intake.tasks.expireDue()).requestIds, [id]);
      },
    ],
    [
      'a deadline at the last gate, while the other request of the call is called',
      { expired: 1, started: 1 },
      async () => {
        await passDeadline(await submit(12, { notAfter: inAnHour }));
        await submit(12);
        await makeCall(intake, machineId(12), started);
      },
    ],
    [
      'a retry, once it has ended itself',
      { failed: 1, cancelled: 1 },
      async () => {
        const id = await submit(13);
        await makeCall(intake, machineId(13), { status: 'failed', error, attempts: 1 });
        const { body } = await intake
          .as('operator', 'post', `/v1/investigations/${id}/retry`, { reason: 'drill' })
          .expect(202);
        const { id: again } = body as { id: string };
        await intake.as('playbook', 'delete', `/v1/investigations/${again}`).expect(200);
      },
    ],
  ];
  for (const [name, raises, end] of ways) {
    it(`rise by what ended, in all intakes, and by nothing else: ${name}`, async () => {
      const before = await endedIn(intake);
      const wanted = { ...before };
      for (const status of endStatuses) wanted[status] += raises[status] ?? 0;
      await end();
      await shows(intake, wanted);
      await shows(second, wanted);
      await nothingIsOpen();
      assert.deepEqual(await endedIn(intake), wanted);
    });
  }

  it('are counted on when they are deleted', async () => {
    const before = await endedIn(intake);
    const purge = { endedBefore: '2999-01-01T00:00:00Z' };
    const { body } = await intake.as('operator', 'post', '/v1/investigations/purge', purge).expect(200);
    const sum = Object.values(before).reduce((total, count) => total + count, 0);
    assert.equal((body as { requests: number }).requests, sum);
    await submit(14);
    await makeCall(intake, machineId(14), started);
    await shows(intake, { ...before, started: before.started + 1 });
  });

  describe('after a restart of the intake', () => {
    const restarted = useIntake(redis, env);

    it('are those of before', async () => {
      await shows(restarted, await endedIn(intake));
      assert.ok(Object.values(await endedIn(restarted)).every((count) => count > 0));
    });
  });
});
