import assert from 'node:assert/strict';
import { requestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

describe('POST /v1/investigations with a deadline that cannot be met', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '1' });
  const soon = () => new Date(Date.now() + 60_000).toISOString();
  before(() => intake.post('/v1/investigations', item(1)).expect(202));

  it('refuses a strict one, says when it would start, and records nothing', async () => {
    const response = await intake.post('/v1/investigations', item(2, { notAfter: soon(), strict: true }));
    const { detail, errors } = expectProblem(response, 'deadline_unreachable');
    assert.match(detail ?? '', /would start at \d{4}-/);
    assert.equal(errors?.[0]?.path, 'notAfter');
    assert.equal(await intake.dispatches.countWaiting(), 1);
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
