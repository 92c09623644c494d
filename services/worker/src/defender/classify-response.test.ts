import assert from 'node:assert/strict';
import {
  callOutcomes,
  classifyResponse,
  type CallOutcomeKind,
  type RefusalCode,
} from './classify-response.ts';
import { initiateInvestigation } from './operations/initiate-investigation.ts';
import type { Answer } from './read-answer.ts';

const { readInvestigationId } = initiateInvestigation;
const context = { readInvestigationId, tokenRenewed: false, nowMs: Date.UTC(2026, 10, 20) };

function classify(answer: Partial<Answer> & { status: number }, more: Partial<typeof context> = {}) {
  return classifyResponse({ headers: {}, body: undefined, ...answer }, { ...context, ...more });
}

const failed = (code: string) => ({ error: { code, message: 'm', target: 't' } });

/** First and last status, and the kind of an answer that carries no readable body. */
const table: readonly (readonly [number, number, CallOutcomeKind, RefusalCode?])[] = [
  [100, 199, 'server-error'],
  [200, 299, 'unknown'],
  [300, 399, 'refused', 'unexpected_redirect'],
  [400, 400, 'refused', 'request_refused'],
  [401, 401, 'token-rejected'],
  [402, 402, 'refused', 'request_refused'],
  [403, 403, 'not-allowed'],
  [404, 404, 'machine-not-found'],
  [405, 405, 'refused', 'operation_unavailable'],
  [406, 406, 'refused', 'request_refused'],
  [407, 407, 'not-allowed'],
  [408, 408, 'server-error'],
  [409, 409, 'refused', 'conflict'],
  [410, 410, 'refused', 'operation_retired'],
  [411, 420, 'refused', 'request_refused'],
  [421, 421, 'server-error'],
  [422, 424, 'refused', 'request_refused'],
  [425, 425, 'server-error'],
  [426, 428, 'refused', 'request_refused'],
  [429, 429, 'throttled'],
  [430, 498, 'refused', 'request_refused'],
  [499, 499, 'server-error'],
  [500, 599, 'server-error'],
];

describe('meaning of an answer', () => {
  it('is decided for every status from 100 to 599', () => {
    const seen: number[] = [];
    for (const [first, last, kind, code] of table) {
      for (let status = first; status <= last; status += 1) {
        const verdict = classify({ status });
        assert.equal(verdict.kind, kind, `status ${status}`);
        assert.equal('code' in verdict ? verdict.code : undefined, code, `status ${status}`);
        assert.equal(verdict.status, status);
        assert.ok(callOutcomes.includes(verdict.kind));
        seen.push(status);
      }
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 500 }, (_, index) => 100 + index),
    );
  });

  it('is the same for every status outside 2xx when the body holds an id', () => {
    for (const [first, last, kind] of table) {
      for (let status = first; status <= last; status += 1) {
        const expected = kind === 'unknown' ? 'started' : kind;
        assert.equal(classify({ status, body: { value: 5146 } }).kind, expected, `status ${status}`);
      }
    }
  });

  it('is a known investigation only when its id can be read', () => {
    const readable = classify({ status: 200, body: { value: 5146 } });
    assert.deepEqual(readable, { kind: 'started', investigationId: '5146', status: 200 });
    for (const body of [
      undefined,
      null,
      'x',
      5146,
      [],
      {},
      { value: null },
      { value: 2 ** 53 },
      { value: {} },
    ]) {
      assert.deepEqual(classify({ status: 201, body }), {
        kind: 'unknown',
        reason: 'unreadable-answer',
        status: 201,
      });
    }
  });

  it('is an investigation that already runs, for both statuses that may say so', () => {
    for (const status of [400, 409]) {
      const verdict = classify({ status, body: failed('ActiveRequestAlreadyExists') });
      assert.equal(verdict.kind, 'already-running');
    }
    assert.equal(
      classify({ status: 404, body: failed('ActiveRequestAlreadyExists') }).kind,
      'machine-not-found',
    );
  });

  it('is a rejected token at first, and a missing right when a new token is rejected too', () => {
    assert.equal(classify({ status: 401 }).kind, 'token-rejected');
    const again = classify({ status: 401, body: failed('Unauthorized') }, { tokenRenewed: true });
    assert.ok(again.kind === 'not-allowed' && again.reason === 'token-rejected');
    assert.equal(again.errorCode, 'Unauthorized');
  });

  it('says who does not allow the call', () => {
    const forbidden = classify({ status: 403, body: failed('DisabledFeature') });
    assert.ok(forbidden.kind === 'not-allowed' && forbidden.reason === 'forbidden');
    assert.equal(forbidden.errorCode, 'DisabledFeature');
    const proxy = classify({ status: 407 });
    assert.ok(proxy.kind === 'not-allowed' && proxy.reason === 'proxy-authentication');
  });

  it('keeps Retry-After of throttled and of failed answers, measured by the server’s clock', () => {
    const headers = { 'retry-after': 'Fri, 20 Nov 2026 12:00:40 GMT', date: 'Fri, 20 Nov 2026 12:00:00 GMT' };
    for (const status of [429, 503]) {
      const verdict = classify({ status, headers });
      assert.equal('retryAfterMs' in verdict && verdict.retryAfterMs, 40_000);
      const without = classify({ status });
      assert.ok('retryAfterMs' in without && without.retryAfterMs === undefined);
    }
    assert.equal(classify({ status: 429, body: failed('429') }).errorCode, '429');
  });

  it('takes the support id from the body, else from the tracking headers', () => {
    const headers = { 'mise-correlation-id': 'm', 'x-ms-request-id': ['x', 'y'] };
    assert.equal(classify({ status: 500, headers, body: failed('c') }).defenderTarget, 't');
    assert.equal(classify({ status: 500, headers }).defenderTarget, 'm');
    assert.equal(classify({ status: 500, headers: { 'x-ms-request-id': ['x', 'y'] } }).defenderTarget, 'x');
  });

  it('keeps what the server says short, printable and on one line', () => {
    const error = { code: 'c'.repeat(1_000), message: `a\r\n\u0000 b${'m'.repeat(10_000)}`, target: 7 };
    const verdict = classify({ status: 400, body: { error } });
    assert.equal(verdict.errorCode?.length, 100);
    assert.equal(verdict.errorMessage?.length, 500);
    assert.match(verdict.errorMessage ?? '', /^a bm/);
    assert.equal(verdict.defenderTarget, undefined);
  });
});
