import assert from 'node:assert/strict';
import { requestDocument } from '@diq/contracts/request-document.ts';
import type { TerminalStatus } from '@diq/contracts/status.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { taskFor, makeCall } from '../../test-support/worker-moves.ts';

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
