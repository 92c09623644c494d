import assert from 'node:assert/strict';
import { agreed, judgeAction, judgeInvestigation } from './judge-result.ts';

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

  it('has no end before its beginning: the state alone decides, and that end is not shown', () => {
    const before = { startTimeMs: 9 };
    assert.equal(judgeInvestigation({ ...investigation('Running', 8), ...before }).end, undefined);
    const benign = judgeInvestigation({ ...investigation('Benign', 8), ...before });
    const scan = judgeAction({ ...action('Succeeded'), createdAtMs: 9, updatedAtMs: 8 });
    for (const { end } of [benign, scan])
      assert.deepEqual(end, { outcome: 'succeeded', endedAtMs: undefined });
  });
});

describe('rows under one id', () => {
  const row = (status: string, machineId: string | undefined = 'm') => ({
    ...judgeAction(action(status)),
    machineId,
  });

  it('show an end only where all of them do, and the same', () => {
    for (const [one, other, outcome] of [
      ['Succeeded', 'Succeeded', 'succeeded'],
      ['Succeeded', 'Pending', undefined],
      ['InProgress', 'Failed', undefined],
      ['Succeeded', 'Cancelled', undefined],
    ] as const)
      assert.equal(agreed([row(one), row(other)], 'm')?.end?.outcome, outcome, `${one}, ${other}`);
  });

  it('show nothing of a result on another machine', () => {
    assert.equal(agreed([row('Succeeded', 'other')], 'm'), undefined);
    assert.equal(agreed([row('Succeeded', 'other'), row('Pending')], 'm')?.state, 'Pending');
    assert.equal(
      agreed([row('Succeeded', 'M'), row('Succeeded', undefined)], 'm')?.end?.outcome,
      'succeeded',
    );
    assert.equal(agreed(undefined, 'm'), undefined);
  });
});
