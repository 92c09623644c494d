import assert from 'node:assert/strict';
import { runAntiVirusScan } from '@diq/contracts/operations/run-antivirus-scan.ts';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { callOutcomes, classifyResponse, type CallOutcomeKind } from './classify-response.ts';
import type { Answer } from './read-answer.ts';

const context = {
  profile: initiateInvestigation,
  parameters: {},
  tokenRenewed: false,
  nowMs: Date.UTC(2026, 10, 20),
};

function classify(answer: Partial<Answer> & { status: number }, more: Partial<typeof context> = {}) {
  return classifyResponse({ headers: {}, body: undefined, ...answer }, { ...context, ...more });
}

const failed = (code: string) => ({ error: { code, message: 'm', target: 't' } });

const page = { headers: { 'content-type': 'text/html; charset=utf-8' } };

/** What Defender says of the machine or of the content of the one request; all of it for status 400 alone. */
const documentedRefusals = [
  'BadRequest',
  'ODataError',
  'InvalidInput',
  'InvalidRequestBody',
  'MissingRequiredParameter',
  'OsPlatformNotSupported',
  'ClientVersionNotSupported',
  'InvalidHashValue',
  'InvalidDomainName',
  'InvalidIpAddress',
  'InvalidUrl',
  'MaximumBatchSizeExceeded',
];

/** First and last status, and what an answer means that is none of Defender's documented words. */
const table: readonly (readonly [number, number, CallOutcomeKind])[] = [
  [100, 199, 'server_error'],
  [200, 299, 'unknown'],
  [300, 400, 'endpoint_unusable'],
  [401, 401, 'token_rejected'],
  [402, 402, 'endpoint_unusable'],
  [403, 403, 'not_allowed'],
  [404, 406, 'endpoint_unusable'],
  [407, 407, 'not_allowed'],
  [408, 408, 'server_error'],
  [409, 409, 'endpoint_unusable'],
  [410, 410, 'retired'],
  [411, 420, 'endpoint_unusable'],
  [421, 421, 'server_error'],
  [422, 424, 'endpoint_unusable'],
  [425, 425, 'server_error'],
  [426, 428, 'endpoint_unusable'],
  [429, 429, 'throttled'],
  [430, 498, 'endpoint_unusable'],
  [499, 499, 'server_error'],
  [500, 599, 'server_error'],
];

/** Bodies by which nothing is said of the one request. */
const otherBodies: readonly (readonly [string, Partial<Answer>])[] = [
  ['nothing', {}],
  ['a page', page],
  ['a document with a code that is not listed', { body: failed('SomethingElse') }],
  ['a document with a listed code in another case', { body: failed('resourcenotfound') }],
  ['a document of a missing route', { body: failed('NotFound') }],
  ['a document without a code', { body: { error: { message: 'Machine 1 was not found' } } }],
  ['a code at the top', { body: { code: 'ResourceNotFound', message: 'm' } }],
  ['a number for a code', { body: { error: { code: 404, message: 'm' } } }],
  ['a list', { body: [failed('ResourceNotFound')] }],
];

function each(check: (status: number, kind: CallOutcomeKind) => void): number[] {
  const seen: number[] = [];
  for (const [first, last, kind] of table) {
    for (let status = first; status <= last; status += 1) {
      check(status, kind);
      seen.push(status);
    }
  }
  return seen;
}

describe('meaning of an answer', () => {
  for (const [what, answer] of otherBodies) {
    it(`is decided for every status from 100 to 599 with ${what}`, () => {
      const seen = each((status, kind) => {
        const verdict = classify({ status, ...answer });
        assert.equal(verdict.kind, kind, `status ${status}`);
        assert.equal(verdict.status, status);
        assert.ok(callOutcomes.includes(verdict.kind));
      });
      assert.deepEqual(
        seen,
        Array.from({ length: 500 }, (_, index) => 100 + index),
      );
    });
  }

  it('is a statement about the request for documented codes at their documented status alone', () => {
    for (const code of documentedRefusals) {
      each((status, kind) => {
        const expected = status === 400 ? 'refused' : kind;
        assert.equal(classify({ status, body: failed(code) }).kind, expected, `${status} ${code}`);
      });
    }
    each((status, kind) => {
      const expected = status === 404 ? 'machine_not_found' : kind;
      assert.equal(classify({ status, body: failed('ResourceNotFound') }).kind, expected, `status ${status}`);
    });
  });

  it('is the same for every status outside 2xx when the body holds an id', () => {
    each((status, kind) => {
      const expected = kind === 'unknown' ? 'started' : kind;
      assert.equal(classify({ status, body: { value: 5146 } }).kind, expected, `status ${status}`);
    });
  });

  it('is the same page by page: one where the answer to a start should be is no answer of Defender', () => {
    const verdict = classify({ status: 200, ...page });
    assert.deepEqual(verdict, { kind: 'unknown', reason: 'unreadable_answer', isForeign: true, status: 200 });
    const cutOff = classify({ status: 200, headers: { 'content-type': 'application/json; charset=utf-8' } });
    assert.deepEqual(cutOff, { kind: 'unknown', reason: 'unreadable_answer', status: 200 });
  });

  it('is that another answers, where a success is no document of the form that Defender has', () => {
    for (const body of [
      {},
      { status: 'ok' },
      { error: { code: 'x' } },
      [],
      [{ value: 1 }],
      'ok',
      5146,
      true,
      null,
    ]) {
      const verdict = classify({ status: 200, body });
      assert.deepEqual([verdict.kind, 'isForeign' in verdict], ['unknown', true], JSON.stringify(body));
    }
    for (const body of [{ value: 0 }, { value: null }, { '@odata.context': 'c' }, { id: '' }]) {
      const verdict = classify({ status: 200, body });
      assert.deepEqual([verdict.kind, 'isForeign' in verdict], ['unknown', false], JSON.stringify(body));
      assert.ok('isForeign' in classify({ status: 202, body }), 'Defender documents 200 and 201');
    }
    assert.ok('isForeign' in classify({ status: 200, bodyFault: 'not_json' }), 'nothing at all');
    assert.equal('isForeign' in classify({ status: 200, bodyFault: 'cut_off' }), false);
  });

  it('is that the call is no longer offered, in whatever form that is said', () => {
    const said: [number, string, string][] = [
      [404, 'NotFound', 'The InitiateInvestigation API has been retired.'],
      [403, 'DisabledFeature', 'This feature is no longer available.'],
      [400, 'BadRequest', 'Automated investigation can no longer be triggered on a device.'],
      [400, 'InvalidInput', 'This operation was deprecated and has been removed.'],
      [400, 'ApiRetired', ''],
      [404, 'EndpointNoLongerAvailable', 'm'],
      [405, 'Deprecated', 'm'],
      [422, 'Sunset', 'm'],
    ];
    for (const [status, code, message] of said) {
      const verdict = classify({ status, body: { error: { code, message } } });
      assert.equal(verdict.kind, 'retired', `${status} ${code} ${message}`);
    }
    for (const answer of [{}, page, { body: failed('ResourceNotFound') }]) {
      assert.equal(classify({ status: 410, ...answer }).kind, 'retired');
    }
  });

  it('is not that where Defender says it of the machine, or lost a start on the way', () => {
    const said: [number, string, string, CallOutcomeKind][] = [
      [400, 'OsPlatformNotSupported', 'Windows 7 is no longer supported.', 'refused'],
      [400, 'ClientVersionNotSupported', 'This version is retired.', 'refused'],
      [400, 'InvalidInput', 'The machine was decommissioned.', 'refused'],
      [404, 'ResourceNotFound', 'Machine 1 was removed, the API says.', 'machine_not_found'],
      [403, 'Forbidden', 'The user is no longer in the group.', 'not_allowed'],
      [401, 'Unauthorized', 'This token is no longer available.', 'token_rejected'],
      [429, '429', 'The free API has been retired.', 'throttled'],
      [500, 'InternalServerError', 'This API has been retired.', 'server_error'],
    ];
    for (const [status, code, message, kind] of said) {
      const verdict = classify({ status, body: { error: { code, message } } });
      assert.equal(verdict.kind, kind, `${status} ${code} ${message}`);
    }
  });

  it('is a known investigation only when its id can be read', () => {
    const readable = classify({ status: 200, body: { value: 5146 } });
    assert.deepEqual(readable, {
      kind: 'started',
      result: { kind: 'investigation', id: '5146' },
      status: 200,
    });
    for (const body of [
      undefined,
      null,
      'x',
      5146,
      [],
      { '@odata.context': 'c' },
      { value: null },
      { value: 2 ** 53 },
      { value: 0 },
      { value: -1 },
      { value: 1.5 },
      { value: '0' },
      { value: {} },
    ]) {
      assert.equal(classify({ status: 201, body }).kind, 'unknown', JSON.stringify(body));
    }
  });

  it('is an investigation that already runs, for both statuses that may say so', () => {
    for (const status of [400, 409]) {
      const verdict = classify({ status, body: failed('ActiveRequestAlreadyExists') });
      assert.equal(verdict.kind, 'already_running');
    }
    assert.equal(
      classify({ status: 404, body: failed('ActiveRequestAlreadyExists') }).kind,
      'endpoint_unusable',
    );
  });

  it('is a rejected token at first, and a missing right when a new token is rejected too', () => {
    assert.equal(classify({ status: 401 }).kind, 'token_rejected');
    const again = classify({ status: 401, body: failed('Unauthorized') }, { tokenRenewed: true });
    assert.ok(again.kind === 'not_allowed' && again.reason === 'token_rejected');
    assert.equal(again.errorCode, 'Unauthorized');
  });

  it('says who does not allow the call', () => {
    const forbidden = classify({ status: 403, body: failed('DisallowedOperation') });
    assert.ok(forbidden.kind === 'not_allowed' && forbidden.reason === 'forbidden');
    assert.equal(forbidden.errorCode, 'DisallowedOperation');
    assert.equal(classify({ status: 403, body: failed('DisabledFeature') }).kind, 'disabled');
    assert.equal(classify({ status: 400, body: failed('DisabledFeature') }).kind, 'endpoint_unusable');
    const proxy = classify({ status: 407 });
    assert.ok(proxy.kind === 'not_allowed' && proxy.reason === 'proxy_authentication');
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

  describe('of a call that makes a machine action', () => {
    const token = '[diq:task-1]';
    const ofScan = (scanType: 'Quick' | 'Full') => ({
      profile: runAntiVirusScan,
      parameters: { scanType },
      correlationToken: token,
      tokenRenewed: false,
      nowMs: 0,
    });
    const action = (fields: object) => ({
      id: 'action-1',
      scope: 'Full',
      requestorComment: `why ${token}`,
      ...fields,
    });
    const verdictOn = (status: number, body: unknown, scanType: 'Quick' | 'Full' = 'Full') =>
      classifyResponse({ status, headers: {}, body }, ofScan(scanType));

    it("is a start with the action's id, by 201 or 200", () => {
      const started = { kind: 'started', result: { kind: 'machineAction', id: 'action-1' } };
      for (const status of [201, 200])
        assert.deepEqual(verdictOn(status, action({})), { ...started, status });
      // A comment that Defender leaves out says nothing against it.
      assert.equal(verdictOn(201, action({ requestorComment: null })).kind, 'started');
    });

    it("is one that runs already where the action has another call's comment: with whether it does all that was asked", () => {
      const theirs = action({ requestorComment: 'by hand [diq:task-2]' });
      const result = { kind: 'machineAction', id: 'action-1' };
      for (const [scope, scanType, covers] of [
        ['Full', 'Full', true],
        ['Full', 'Quick', true],
        ['Quick', 'Quick', true],
        ['Quick', 'Full', false],
        [null, 'Full', false],
      ] as const) {
        const verdict = verdictOn(201, { ...theirs, scope }, scanType);
        assert.deepEqual(verdict, { kind: 'already_running', running: { ...result, covers }, status: 201 });
      }
    });

    it('is one that runs already, unnamed, by the 400 that says so', () => {
      const body = failed('ActiveRequestAlreadyExists');
      const { kind } = verdictOn(400, body);
      assert.equal(kind, 'already_running');
    });

    it('is unknown without an id, and retired where its name is said to be', () => {
      assert.equal(verdictOn(201, { status: 'Pending' }).kind, 'unknown');
      const gone = {
        error: { code: 'NotFound', message: 'runAntiVirusScan has been retired for this machine.' },
      };
      assert.equal(verdictOn(404, gone).kind, 'retired');
    });
  });
});
