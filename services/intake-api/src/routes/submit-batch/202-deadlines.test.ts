import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { postOnce } from '../../test-support/replays.ts';
import { makeCall } from '../../test-support/worker-moves.ts';
import type { ItemAnswer } from '@diq/contracts/item-answer.ts';

const hourMs = 3_600_000;
const inHours = (hours: number) => new Date(Date.now() + hours * hourMs).toISOString();

interface Reply {
  id: string;
  counts: Record<string, number>;
  items: ItemAnswer[];
}

// Two calls an hour: the third starts in an hour, the fifth in two.
describe('POST /v1/batches with deadlines', () => {
  const redis = useEmbeddedRedis();
  const env = { DEFENDER_CALLS_PER_WINDOW: '2', DEFENDER_WINDOW: '1h' };
  // A new intake for each, with a queue of its own.
  describe('that the present estimate meets', () => {
    const intake = useIntake(redis, env);
    it('warns of none', async () => {
      const requests = [1, 2, 3, 4].map((n) => item(n, { notAfter: inHours(n > 2 ? 1.1 : 0.1) }));
      const { items } = (await intake.post('/v1/batches', { requests }).expect(202)).body as Reply;
      assert.equal(
        items.some((answer) => 'warning' in answer),
        false,
      );
    });
  });

  describe('that it does not meet', () => {
    const intake = useIntake(redis, env);
    it('accepts the items, warns of each and tells when it would start', async () => {
      const requests = [1, 2, 3, 4, 5].map((n) => item(n, n === 4 ? {} : { notAfter: inHours(0.5) }));
      const { items } = (await intake.post('/v1/batches', { requests }).expect(202)).body as Reply;
      assert.deepEqual(
        items.map((answer) => ('warning' in answer ? answer.warning?.code : undefined)),
        [undefined, undefined, 'deadline_unlikely', undefined, 'deadline_unlikely'],
      );
      const [third, fifth] = [items[2], items[4]].map((answer) => {
        assert.ok(answer?.status === 'accepted' && answer.warning);
        return Date.parse(answer.warning.expectedStartAt) - Date.now();
      });
      assert.ok(Math.abs((third ?? 0) - hourMs) < 5_000 && Math.abs((fifth ?? 0) - 2 * hourMs) < 5_000);
    });

    it('counts what waits already, and lets a more urgent one through', async () => {
      const requests = [
        item(11, { notAfter: inHours(0.5), priority: 'low' }),
        item(12, { notAfter: inHours(0.5), priority: 'high' }),
        item(1, { notAfter: inHours(0.5), priority: 'low' }),
      ];
      const { items } = (await intake.post('/v1/batches', { requests }).expect(202)).body as Reply;
      assert.deepEqual(
        items.map((answer) => [answer.status, 'warning' in answer]),
        [
          ['accepted', true],
          ['accepted', false],
          // It waits from before, in front of most: but for the urgent one it would be first.
          ['coalesced', false],
        ],
      );
    });
  });

  describe('that it does not meet, and strict items', () => {
    const intake = useIntake(redis, env);
    it('rejects them at once, and those behind them move up', async () => {
      const requests = [
        item(1),
        item(2),
        item(3, { notAfter: inHours(0.5), strict: true }),
        item(4, { notAfter: inHours(1.5), strict: true }),
        item(5, { notAfter: inHours(1.5), strict: true }),
        item(6, { notAfter: inHours(1.5), strict: true }),
      ];
      const { id, counts, items } = (await intake.post('/v1/batches', { requests }).expect(202))
        .body as Reply;
      assert.deepEqual(
        items.map(({ status }) => status),
        ['accepted', 'accepted', 'rejected', 'accepted', 'accepted', 'rejected'],
      );
      assert.deepEqual(counts, { accepted: 4, coalesced: 0, rejected: 2 });
      const rejected = items[2];
      assert.ok(rejected?.status === 'rejected' && rejected.error.code === 'deadline_unreachable');
      assert.equal(rejected.machineId, machineId(3));
      const told = 'expectedStartAt' in rejected.error ? rejected.error.expectedStartAt : undefined;
      assert.ok(Math.abs(Date.parse(told ?? '') - Date.now() - hourMs) < 5_000);
      assert.match(rejected.error.message, /^notAfter cannot be met: by the present estimate .*Z\.$/);
      const kept = (await intake.get(`/v1/batches/${id}/items`).expect(200)).body as { value: ItemAnswer[] };
      assert.deepEqual(kept.value[2], rejected);
    });

    it('takes strict from the defaults of the batch, and does not show it afterwards', async () => {
      const requests = [
        item(11, { notAfter: inHours(0.1) }),
        item(12, { notAfter: inHours(9), strict: false }),
      ];
      const response = await intake.post('/v1/batches', { requests, defaults: { strict: true } }).expect(202);
      const { items } = response.body as Reply;
      assert.deepEqual(
        items.map(({ status }) => status),
        ['rejected', 'accepted'],
      );
      assert.ok(items[1]?.status === 'accepted');
      const document: unknown = (await intake.get(`/v1/investigations/${items[1].id}`).expect(200)).body;
      assert.ok(typeof document === 'object' && document !== null && !('strict' in document));
    });

    it('refuses a batch whose items are all too late, and records nothing of it', async () => {
      const waiting = await intake.tasks.countWaiting();
      const requests = [item(21, { notAfter: inHours(0.1), strict: true })];
      const { errors } = expectProblem(await intake.post('/v1/batches', { requests }), 'no_acceptable_item');
      assert.equal(errors?.[0]?.path, 'requests[0].notAfter');
      assert.equal(await intake.tasks.countWaiting(), waiting);
    });

    it('refuses a strict that is neither true nor false', async () => {
      const { errors } = expectProblem(
        await intake.post('/v1/batches', { requests: [item(22, { strict: 'yes' })] }),
        'no_acceptable_item',
      );
      assert.deepEqual(errors, [{ path: 'requests[0].strict', message: 'must be true or false' }]);
    });
  });

  describe('repeated after its answer was lost, when a strict deadline cannot be met any more', () => {
    const intake = useIntake(redis, env);

    it('does not refuse what the first attempt recorded, also what joined or ended, and refuses others like it', async () => {
      const strict = { notAfter: inHours(0.5), strict: true };
      await intake.post('/v1/batches', { requests: [item(2, { priority: 'low' })] }).expect(202);
      // The third is refused at once, and again each time.
      const requests = [item(1, strict), item(2, strict), item(9, strict)];
      const key = randomUUID();
      const first = (await postOnce(intake, '/v1/batches', { requests }, key).expect(202)).body as Reply;
      assert.deepEqual(first.counts, { accepted: 1, coalesced: 1, rejected: 1 });
      const [record = ''] = await redis.client.keys('*:idempotency:*');
      const repeat = async () => {
        assert.equal(await redis.client.hdel(record, 'answer'), 1);
        const again = (await postOnce(intake, '/v1/batches', { requests }, key).expect(202)).body as Reply;
        const idsOf = ({ id, items }: Reply) => [id, ...items.map((one) => 'id' in one && one.id)];
        assert.deepEqual(idsOf(again), idsOf(first));
      };
      const urgent = [3, 4].map((n) => item(n, { priority: 'critical' }));
      await intake.post('/v1/batches', { requests: urgent }).expect(202);
      await repeat();

      const like = [item(5), item(6, strict), item(2, strict)];
      const other = (await intake.post('/v1/batches', { requests: like }).expect(202)).body as Reply;
      assert.deepEqual(
        other.items.map(({ status }) => status),
        ['accepted', 'rejected', 'rejected'],
      );
      await makeCall(intake, machineId(1), { status: 'started', investigationId: '5146', attempts: 1 });
      await repeat();
      assert.equal(await intake.tasks.countWaiting(), 4);
    });
  });

  describe('while a hold has no end', () => {
    const intake = useIntake(redis, env);
    it('neither warns nor rejects: nobody can say', async () => {
      await intake.ledger.hold('paused', Number.MAX_SAFE_INTEGER / 2);
      const requests = [item(1, { notAfter: inHours(0.1), strict: true })];
      const { items } = (await intake.post('/v1/batches', { requests }).expect(202)).body as Reply;
      assert.ok(items[0]?.status === 'accepted' && !('warning' in items[0]));
    });
  });
});
