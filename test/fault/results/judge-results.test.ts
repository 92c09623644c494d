import assert from 'node:assert/strict';
import type { AskedRequest, Delivered, ShownRequest } from './asked.ts';
import { judgeResults, mostWithin, type ResultEvidence } from './judge-results.ts';

const asked = {
  id: 'r1',
  operation: 'isolate',
  family: 'isolation',
  machineId: 'm1',
  comment: 'one',
  postedAtMs: 0,
  acknowledgedAtMs: 1,
} satisfies AskedRequest;
const result = { kind: 'machineAction', id: 'a1', outcome: 'succeeded', attached: false, reason: undefined };
const shown = { id: 'r1', machineId: 'm1', status: 'started', coalescedWith: undefined, result };
const action = { id: 'a1', type: 'Isolate', machineId: 'm1', status: 'Succeeded', creationDateTimeUtc: '' };
const delivered = (some: Partial<Delivered>): Delivered => ({
  deliveryId: 'd1',
  type: 'request.ended',
  requestId: 'r1',
  outcome: 'succeeded',
  ...some,
});
const news = delivered({ deliveryId: 'd2', type: 'request.started' });

function rulesOf(more: Partial<ResultEvidence>): string[] {
  const good: ResultEvidence = {
    asked: [asked],
    shown: new Map([['r1', shown]]),
    samples: [],
    truth: new Map([['a1', { machineId: 'm1', outcome: 'succeeded' }]]),
    actions: [{ ...action, requestorComment: 'one [diq:x]' }],
    delivered: [delivered({}), news],
    reads: [],
    readLimits: [{ calls: 1, windowMs: 1_000 }],
    crashes: [],
  };
  return judgeResults({ ...good, ...more }).map(({ rule }) => rule);
}
const shownAs = (more: Partial<ShownRequest>) => ({ shown: new Map([['r1', { ...shown, ...more }]]) });

describe('the judge of results', () => {
  it('finds nothing where all is as promised', () => {
    assert.deepEqual(rulesOf({}), []);
  });

  it('finds requests that are gone, have no end, or name a result of another machine', () => {
    assert.deepEqual(rulesOf({ shown: new Map() }), ['lost']);
    assert.deepEqual(rulesOf({ ...shownAs({ status: 'queued', result: undefined }), delivered: undefined }), [
      'unsettled',
    ]);
    const truth = new Map([['a1', { machineId: 'm2', outcome: 'succeeded' }]]);
    assert.deepEqual(rulesOf({ truth }), ['another-machine']);
  });

  it('finds outcomes that are open, wrong, shown too early, or changed', () => {
    const running = { ...shown, result: { ...result, outcome: 'running' } };
    assert.deepEqual(rulesOf({ ...shownAs(running), delivered: undefined }), ['open-result']);
    const failed = { ...shown, result: { ...result, outcome: 'failed' } };
    assert.deepEqual(rulesOf({ ...shownAs(failed), delivered: undefined }), ['wrong-outcome']);
    assert.deepEqual(rulesOf({ samples: [{ shown, truth: undefined }] }), ['ended-early']);
    const samples = [
      { shown, truth: 'succeeded' },
      { shown: running, truth: 'succeeded' },
    ];
    assert.deepEqual(rulesOf({ samples }), ['changed-outcome']);
  });

  it('finds two actions for one intent', () => {
    const twice = ['one [diq:x]', 'one\nanother [diq:y]'].map((requestorComment) => ({
      ...action,
      requestorComment,
    }));
    assert.deepEqual(rulesOf({ actions: twice }), ['double']);
  });

  it('finds callbacks that are missing, come twice, or say something else', () => {
    assert.deepEqual(rulesOf({ delivered: [news] }), ['callback-missing']);
    assert.deepEqual(rulesOf({ delivered: [delivered({}), news, news] }), [], 'a repetition with its id');
    assert.deepEqual(rulesOf({ delivered: [delivered({}), delivered({ deliveryId: 'd3' }), news] }), [
      'callback-twice',
    ]);
    assert.deepEqual(rulesOf({ delivered: [delivered({ outcome: 'failed' }), news] }), ['callback-wrong']);
    const other = { ...news, type: 'request.failed' };
    assert.deepEqual(rulesOf({ delivered: [delivered({}), other] }), ['callback-wrong']);
  });

  it('finds more reads in a window than may be used, and leaves out those of links', () => {
    const reads = [0, 999].map((atMs) => ({ atMs, read: 'listMachineActions', status: 200 }));
    assert.deepEqual(rulesOf({ reads }), ['reads']);
    assert.deepEqual(rulesOf({ reads: reads.map((one) => ({ ...one, read: 'packageLink' })) }), []);
    assert.equal(mostWithin([0, 1_000, 1_999, 2_000], 1_000), 2);
  });
});
