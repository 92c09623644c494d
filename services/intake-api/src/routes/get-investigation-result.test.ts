import assert from 'node:assert/strict';
import { requestDocument } from '@diq/contracts/request-document.ts';
import type { TerminalStatus } from '@diq/contracts/status.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { beginCall, makeCall, taskFor } from '../test-support/worker-moves.ts';

describe('GET /v1/investigations/{id}/result at the end', () => {
  const intake = useIntake(useEmbeddedRedis());

  const ends: [TerminalStatus, number][] = [
    ['started', 1],
    ['failed', 2],
    ['unknown', 3],
  ];
  for (const [status, number] of ends) {
    it(`answers 200 with the document once a request is ${status}`, async () => {
      const submitted = await intake.post('/v1/investigations', item(number)).expect(202);
      await makeCall(intake, machineId(number), { status, attempts: 1 });
      const response = await intake.get(submitted.headers['location'] ?? '').expect(200);
      assert.equal(requestDocument.parse(response.body).status, status);
      assert.equal(response.headers['retry-after'], undefined);
      assert.equal(response.headers['location'], undefined);
    });
  }

  for (const status of ['cancelled', 'expired'] as const) {
    it(`answers 200 with the document once a request is ${status}`, async () => {
      const submitted = await intake.post('/v1/investigations', item(9)).expect(202);
      await intake.tasks.endWaiting(await taskFor(intake, machineId(9)), { status, attempts: 0 });
      const response = await intake.get(submitted.headers['location'] ?? '').expect(200);
      assert.equal(requestDocument.parse(response.body).status, status);
    });
  }
});

describe('GET /v1/investigations/{id}/result before the end', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '1', DEFENDER_WINDOW: '2m' });

  async function submit(number: number): Promise<string> {
    const response = await intake.post('/v1/investigations', item(number)).expect(202);
    return response.headers['location'] ?? '';
  }

  it('is where the 202 of the submission leads, and leads to itself', async () => {
    const location = await submit(1);
    const response = await intake.get(location).expect(202);
    assert.equal(response.headers['location'], location);
    assert.equal(requestDocument.parse(response.body).status, 'queued');
    assert.equal(response.headers['retry-after'], '5');
  });

  it('still answers 202 while the call is under way, and asks to come back soon', async () => {
    const location = await submit(2);
    await beginCall(intake, machineId(2));
    const response = await intake.get(location).expect(202);
    assert.equal(requestDocument.parse(response.body).status, 'dispatching');
    assert.equal(response.headers['retry-after'], '5');
  });

  // The only slot is in use by now: it comes back after the window and the time the call may take.
  it('asks to come back when the call is expected, but never later than after 10 minutes', async () => {
    const [next] = [await submit(1), await submit(3)];
    const soon = Number((await intake.get(next)).headers['retry-after']);
    assert.ok(soon > 60 && soon <= 150, String(soon));
    for (let number = 10; number < 20; number += 1) await submit(number);
    const late = await intake.get(await submit(20)).expect(202);
    assert.equal(late.headers['retry-after'], '600');
  });
});
