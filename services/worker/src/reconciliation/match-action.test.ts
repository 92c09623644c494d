import assert from 'node:assert/strict';
import { runAntiVirusScan } from '@diq/contracts/operations/run-antivirus-scan.ts';
import type { MachineAction } from '../defender/defender-records.ts';
import { matchAction } from './match-action.ts';

const token = '[diq:task-1]';
let number = 0;

function action(fields: Partial<MachineAction> = {}): MachineAction {
  number += 1;
  return {
    id: `action-${number}`,
    requestorComment: 'by hand',
    scope: 'Full',
    createdAtMs: 1_000 + number,
    updatedAtMs: undefined,
    status: 'Pending',
    machineId: 'm',
    ...fields,
  };
}

const sentAtMs = 10_000_000;

function match(
  actions: MachineAction[],
  scanType: 'Quick' | 'Full' = 'Full',
  cause: 'lost' | 'running' = 'lost',
) {
  const { covers } = runAntiVirusScan.records;
  const call = { cause, sentAtMs, arrivedByMs: sentAtMs + 30_000 };
  return matchAction({ ...call, correlationToken: token, parameters: { scanType } }, actions, (shown) =>
    covers(shown, { scanType }),
  );
}

describe('which machine action a call made', () => {
  it('is the one whose comment ends with its token, whatever became of it and whatever else runs', () => {
    for (const status of ['Pending', 'InProgress', 'Succeeded', 'Failed', 'Cancelled', 'TimeOut', '']) {
      const own = action({ requestorComment: `INC-1 ${token}`, status });
      const found = match([action(), own, action()]);
      assert.deepEqual(found, { kind: 'own', id: own.id, alertId: undefined }, status);
    }
  });

  it('is none that only holds the token in its text, or has another one', () => {
    const others = [`${token} in another place`, 'INC-1 [diq:task-11]', undefined];
    const ended = others.map((requestorComment) => action({ requestorComment, status: 'Succeeded' }));
    assert.deepEqual(match(ended), { kind: 'nothing' });
  });

  it('is covered by the newest that runs and does all that was asked for', () => {
    const [older, newer] = [action(), action({ status: 'InProgress' })];
    assert.deepEqual(match([older, newer, action({ status: 'Failed' })]), {
      kind: 'covering',
      id: newer.id,
      alertId: undefined,
    });
    const quick = action({ scope: 'Quick' });
    assert.deepEqual(match([quick]), { kind: 'nothing' });
    assert.equal(match([quick], 'Quick').kind, 'covering');
    assert.equal(match([older], 'Quick').kind, 'covering');
    assert.deepEqual(match([action({ scope: undefined })]), { kind: 'nothing' });
  });

  it('is one that ran when the call was refused because of it, though it has ended since', () => {
    const [createdAtMs, updatedAtMs, status] = [sentAtMs - 60_000, sentAtMs + 2_000, 'Succeeded'];
    const ended = action({ createdAtMs, updatedAtMs, status });
    assert.deepEqual(match([ended], 'Full', 'running'), {
      kind: 'covering',
      id: ended.id,
      alertId: undefined,
    });
    assert.deepEqual(match([ended], 'Full', 'lost'), { kind: 'nothing' });
    for (const other of [
      { scope: 'Quick' },
      { updatedAtMs: sentAtMs - 60_000 },
      { createdAtMs: sentAtMs + 60_000 },
      { updatedAtMs: undefined },
    ])
      assert.deepEqual(match([action({ createdAtMs, updatedAtMs, status, ...other })], 'Full', 'running'), {
        kind: 'nothing',
      });
    const running = action({ createdAtMs: sentAtMs - 3_600_000 });
    assert.equal((match([ended, running], 'Full', 'running') as { id: string }).id, running.id);
  });
});
