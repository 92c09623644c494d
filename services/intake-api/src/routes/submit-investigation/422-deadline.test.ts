import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { requestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { postOnce } from '../../test-support/replays.ts';

describe('POST /v1/investigations with a deadline that cannot be met', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '1' });
  const soon = () => new Date(Date.now() + 60_000).toISOString();
  before(() => intake.post('/v1/investigations', item(1)).expect(202));

  it('refuses a strict one, says when it would start, and records nothing', async () => {
    const response = await intake.post('/v1/investigations', item(2, { notAfter: soon(), strict: true }));
    const { detail, errors } = expectProblem(response, 'deadline_unreachable');
    assert.match(detail ?? '', /would start at \d{4}-/);
    assert.equal(errors?.[0]?.path, 'notAfter');
    assert.equal(await intake.tasks.countWaiting(), 1);
  });

  it('accepts any other with a warning, which is not kept', async () => {
    const notAfter = soon();
    const response = await intake.post('/v1/investigations', item(3, { notAfter })).expect(202);
    const { id, warning, position, expectedStartAt } = requestDocument.parse(response.body);
    assert.equal(position, 2);
    assert.equal(warning?.code, 'deadline_unlikely');
    assert.ok(warning.message.includes(notAfter) && warning.message.includes(warning.expectedStartAt));
    assert.ok(Math.abs(Date.parse(warning.expectedStartAt) - Date.parse(expectedStartAt ?? '')) < 5_000);
    const stored = requestDocument.parse((await intake.get(`/v1/investigations/${id}`)).body);
    assert.equal(stored.warning, undefined);
  });

  it('accepts a strict one that is urgent enough to be in time', async () => {
    const urgent = item(4, { notAfter: soon(), strict: true, priority: 'critical' });
    const response = await intake.post('/v1/investigations', urgent).expect(202);
    assert.equal(requestDocument.parse(response.body).warning, undefined);
  });
});

describe('POST /v1/investigations repeated with a deadline that cannot be met any more', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis, { DEFENDER_CALLS_PER_WINDOW: '1' });

  it('does not refuse a strict one that an attempt recorded whose answer was lost', async () => {
    const strict = item(1, { notAfter: new Date(Date.now() + 60_000).toISOString(), strict: true });
    const key = randomUUID();
    const first = await postOnce(intake, '/v1/investigations', strict, key).expect(202);
    const [record = ''] = await redis.client.keys('*idempotency:*');
    assert.equal(await redis.client.hdel(record, 'answer'), 1);
    await intake.post('/v1/investigations', item(2, { priority: 'critical' })).expect(202);

    const other = { ...strict, machineId: machineId(3) };
    expectProblem(await intake.post('/v1/investigations', other), 'deadline_unreachable');
    const repeated = await postOnce(intake, '/v1/investigations', strict, key).expect(202);
    assert.equal(requestDocument.parse(repeated.body).id, requestDocument.parse(first.body).id);
    assert.equal(await intake.tasks.countWaiting(), 2);
  });
});
