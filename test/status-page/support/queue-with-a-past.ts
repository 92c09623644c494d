import type { IntakeUnderTest } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item, machineId } from '@diq/intake-api/test-support/items.ts';
import { beginCall, makeCall } from '@diq/intake-api/test-support/worker-moves.ts';

/** Four calls made, one of them under way; two requests that failed; six that wait, of three sources. */
export async function makePast(intake: IntakeUnderTest): Promise<void> {
  const requests = [
    ...[1, 2, 3, 4].map((number) => item(number, { priority: 'critical', source: 'sentinel' })),
    ...[5, 6, 7].map((number) => item(number, { priority: 'high', source: 'xsoar-playbook-phishing' })),
    ...[8, 9].map((number) => item(number, { source: 'servicenow' })),
    item(10, { priority: 'low' }),
  ];
  await intake.post('/v1/batches', { requests }).expect(202);
  await makeCall(intake, machineId(1), {
    status: 'started',
    result: { kind: 'investigation', id: '5146' },
    attached: true,
    attempts: 1,
  });
  await makeCall(intake, machineId(2), {
    status: 'failed',
    attempts: 1,
    error: { code: 'machine_not_found', message: 'Defender does not know this machine.' },
  });
  await makeCall(intake, machineId(3), {
    status: 'unknown',
    attempts: 1,
    error: { code: 'outcome_unknown', message: 'The answer was lost, and Defender shows nothing.' },
  });
  await beginCall(intake, machineId(4));
}
