import assert from 'node:assert/strict';
import { judgeAction, judgeInvestigation } from './judge-result.ts';

const action = (status: string) => ({
  id: 'a',
  requestorComment: undefined,
  scope: undefined,
  createdAtMs: 1,
  updatedAtMs: 2,
  status,
  machineId: 'm',
});
const investigation = (state: string, endTimeMs?: number) => ({
  id: '1',
  startTimeMs: 1,
  endTimeMs,
  state,
  machineId: 'm',
  triggeringAlertId: undefined,
});

describe('what Defender shows of a result', () => {
  it('is the end of a machine action in each of its final statuses, and in no other', () => {
    for (const [status, outcome] of [
      ['Succeeded', 'succeeded'],
      ['Failed', 'failed'],
      ['TimeOut', 'failed'],
      ['Cancelled', 'cancelled'],
      ['Pending', undefined],
      ['InProgress', undefined],
      ['constructor', undefined],
      ['', undefined],
    ] as const) {
      const { state, end } = judgeAction(action(status));
      assert.deepEqual([state, end?.outcome, end?.endedAtMs], [status, outcome, outcome && 2]);
    }
  });

  it('is the end of an investigation in each of its closed states, and in no open or new one', () => {
    for (const [state, outcome] of [
      ['SuccessfullyRemediated', 'succeeded'],
      ['Benign', 'succeeded'],
      ['PartiallyRemediated', 'failed'],
      ['TerminatedBySystem', 'failed'],
      ['TerminatedByUser', 'cancelled'],
      ['Running', undefined],
      ['PendingApproval', undefined],
      ['PendingResource', undefined],
      ['Queued', undefined],
      ['Unknown', undefined],
      ['toString', undefined],
    ] as const)
      assert.equal(judgeInvestigation(investigation(state)).end?.outcome, outcome, state);
  });

  it('is an end without a verdict where an investigation has an end and a state that is none', () => {
    assert.deepEqual(judgeInvestigation(investigation('Running', 9)).end, {
      outcome: 'unknown',
      endedAtMs: 9,
      why: 'unfamiliar',
    });
  });
});
