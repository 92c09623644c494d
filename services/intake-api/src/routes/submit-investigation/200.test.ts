import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';

describe('POST /v1/investigations?dryRun=true', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '2' });

  async function foresee(body: object): Promise<Record<string, unknown>> {
    const response = await intake.post('/v1/investigations?dryRun=true', body).expect(200);
    return response.body as Record<string, unknown>;
  }

  it('tells the place that the request would get and when it would start, and records nothing', async () => {
    const { expectedStartAt, ...rest } = await foresee(item(1));
    assert.deepEqual(rest, { dryRun: true, machineId: machineId(1), status: 'accepted', position: 1 });
    assert.ok(Math.abs(Date.parse(String(expectedStartAt)) - Date.now()) < 5_000);
    assert.deepEqual(await intake.tasks.waitingPage(0, 1), []);
  });

  it('tells the request that it would join', async () => {
    const { id } = (await intake.post('/v1/investigations', item(2)).expect(202)).body as { id: string };
    const { status, coalescedWith, position } = await foresee(item(2));
    assert.deepEqual([status, coalescedWith, position], ['coalesced', id, 1]);
  });

  it('warns of a deadline that cannot be met, and refuses it where it is strict', async () => {
    for (const number of [3, 4]) await intake.post('/v1/investigations', item(number)).expect(202);
    const late = item(5, { notAfter: new Date(Date.now() + 60_000).toISOString() });
    const { warning } = await foresee(late);
    assert.equal((warning as { code: string }).code, 'deadline_unlikely');
    const response = await intake.post('/v1/investigations?dryRun=true', { ...late, strict: true });
    expectProblem(response, 'deadline_unreachable');
  });

  it('refuses any other value', async () => {
    const response = await intake.post('/v1/investigations?dryRun=1', item(6));
    assert.equal(expectProblem(response, 'invalid_request').errors?.[0]?.path, 'dryRun');
  });
});
