import assert from 'node:assert/strict';
import { runAntiVirusScan } from '@diq/contracts/operations/run-antivirus-scan.ts';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { abandonedCall, policyFor, type OutcomePolicy } from './outcome-policy.ts';
import { callOutcomes, classifyResponse, type CallOutcomeKind } from '../defender/classify-response.ts';
import type { CallOutcome } from '../defender/defender-client.ts';
import { notSentReasons } from '../defender/single-use-connection.ts';

const { wording } = initiateInvestigation;

const durationMs = 5;
const said = { errorCode: 'SomeCode', errorMessage: 'In its own words.', defenderTarget: 'target-1' };

/** At least one of each kind; the compiler asks for the kinds that are missing. */
const samples: Readonly<Record<CallOutcomeKind, readonly CallOutcome[]>> = {
  started: [{ kind: 'started', result: { kind: 'investigation', id: '5146' }, status: 200, durationMs }],
  unknown: [
    { kind: 'unknown', reason: 'unreadable_answer', status: 200, durationMs },
    { kind: 'unknown', reason: 'unreadable_answer', isForeign: true, status: 200, durationMs },
  ],
  already_running: [{ kind: 'already_running', status: 400, ...said, durationMs }],
  machine_not_found: [{ kind: 'machine_not_found', status: 404, ...said, durationMs }],
  refused: [
    { kind: 'refused', status: 400, ...said, durationMs },
    { kind: 'refused', status: 400, errorCode: 'BadRequest', durationMs },
  ],
  not_allowed: [{ kind: 'not_allowed', reason: 'forbidden', status: 403, ...said, durationMs }],
  disabled: [{ kind: 'disabled', status: 403, ...said, durationMs }],
  token_rejected: [{ kind: 'token_rejected', status: 401, ...said, durationMs }],
  endpoint_unusable: [
    { kind: 'endpoint_unusable', status: 404, durationMs },
    { kind: 'endpoint_unusable', status: 431, ...said, durationMs },
  ],
  retired: [{ kind: 'retired', status: 410, ...said, durationMs }],
  throttled: [
    { kind: 'throttled', retryAfterMs: 30_000, status: 429, ...said, durationMs },
    { kind: 'throttled', retryAfterMs: undefined, status: 429, durationMs },
    { kind: 'throttled', retryAfterMs: 0, status: 429, durationMs },
  ],
  server_error: [
    { kind: 'server_error', retryAfterMs: 9_000, status: 503, ...said, durationMs },
    { kind: 'server_error', retryAfterMs: undefined, status: 500, durationMs },
  ],
  timeout: [{ kind: 'timeout', durationMs }],
  connection_lost: [
    { kind: 'connection_lost', reason: 'closed', code: 'ECONNRESET', durationMs },
    { kind: 'connection_lost', reason: 'shutdown', durationMs },
  ],
  not_sent: notSentReasons.map((reason) => ({ kind: 'not_sent', reason, durationMs })),
};

const all = callOutcomes.flatMap((kind) => samples[kind]);

function only(kind: CallOutcomeKind): OutcomePolicy {
  return policyFor(samples[kind][0]!, wording);
}

function unresolvedIn({ requests }: OutcomePolicy) {
  assert.ok(requests.kind === 'reconcile');
  return requests.unresolved;
}

/** The error that the requests show, for good or for now. */
function toldBy({ requests }: OutcomePolicy) {
  if (requests.kind === 'give_back') return undefined;
  return requests.kind === 'settle' ? requests.settlement.error : requests.unresolved.error;
}

function settled({ requests }: OutcomePolicy) {
  assert.ok(requests.kind === 'settle');
  return requests.settlement;
}

function notSent(reason: (typeof notSentReasons)[number]): OutcomePolicy {
  return policyFor({ kind: 'not_sent', reason, durationMs }, wording);
}

describe('what follows from the outcome of a call', () => {
  describe('the permit', () => {
    it('is spent by every call that may have left, whatever became of it', () => {
      for (const outcome of all.filter(({ kind }) => kind !== 'not_sent')) {
        assert.equal(policyFor(outcome, wording).permit, 'spent', outcome.kind);
      }
    });

    it('is given back when not one byte left, whatever the reason', () => {
      for (const reason of notSentReasons) assert.equal(notSent(reason).permit, 'unspent', reason);
    });
  });

  describe('the requests', () => {
    it('are started with the investigation id as a string', () => {
      assert.deepEqual(only('started'), {
        requests: {
          kind: 'settle',
          settlement: { status: 'started', result: { kind: 'investigation', id: '5146' }, attempts: 1 },
        },
        permit: 'spent',
      });
    });

    it('fail when Defender does not know the machine, in its own words and with its tracking id', () => {
      assert.deepEqual(settled(only('machine_not_found')), {
        status: 'failed',
        error: {
          code: 'machine_not_found',
          message: 'Defender does not know this machine. It says: SomeCode: In its own words.',
          defenderTarget: 'target-1',
        },
        attempts: 1,
      });
    });

    it('fail with the stable code of the refusal, whether or not Defender said why', () => {
      assert.deepEqual(
        samples.refused.map((outcome) => settled(policyFor(outcome, wording)).error),
        [
          {
            code: 'request_refused',
            message: 'Defender refused to start the investigation. It says: SomeCode: In its own words.',
            defenderTarget: 'target-1',
          },
          {
            code: 'request_refused',
            message: 'Defender refused to start the investigation. It says: BadRequest',
          },
        ],
      );
    });

    it('get the investigation that is under way already, if Defender shows it', () => {
      const { cause, error } = unresolvedIn(only('already_running'));
      assert.deepEqual([cause, error.code], ['running', 'already_running']);
      assert.match(error.message, /already under way\. It says: SomeCode: In its own words\.$/);
    });

    it('wait until Defender was asked when it is not known what it made of the call', () => {
      const lost = ['unknown', 'server_error', 'timeout', 'connection_lost'] as const;
      const doubts = lost.flatMap((kind) =>
        samples[kind].map((outcome) => {
          const { cause, error } = unresolvedIn(policyFor(outcome, wording));
          assert.match(error.message, /Whether an investigation was started is not known\.$/);
          return [cause, error.code];
        }),
      );
      assert.deepEqual(doubts, [
        ['lost', 'answer_unreadable'],
        ['failed', 'answer_unreadable'],
        ['failed', 'server_error'],
        ['failed', 'server_error'],
        ['lost', 'call_timeout'],
        ['lost', 'connection_lost'],
        ['lost', 'call_interrupted'],
      ]);
      const { cause, error } = abandonedCall(wording);
      assert.deepEqual([cause, error.code], ['lost', 'call_interrupted']);
    });

    it('keep the tracking id of a call whose outcome is unknown', () => {
      assert.equal(unresolvedIn(only('server_error')).error.defenderTarget, 'target-1');
    });

    it('go back to their place, with nothing said of an attempt, when the call did not count as one', () => {
      const givenBack = all.filter((outcome) => policyFor(outcome, wording).requests.kind === 'give_back');
      assert.deepEqual(
        [...new Set(givenBack.map(({ kind }) => kind))],
        [
          'not_allowed',
          'disabled',
          'token_rejected',
          'throttled',
          'endpoint_unusable',
          'retired',
          'not_sent',
        ],
      );
      for (const outcome of givenBack) {
        assert.deepEqual(policyFor(outcome, wording).requests, { kind: 'give_back' }, outcome.kind);
      }
    });

    it('end by no answer but those in which Defender speaks of the machine or of the content', () => {
      const ended = all.filter((outcome) => policyFor(outcome, wording).requests.kind === 'settle');
      assert.deepEqual(
        [...new Set(ended.map(({ kind }) => kind))],
        ['started', 'machine_not_found', 'refused'],
      );
    });
  });

  describe('the hold for everybody', () => {
    it('lasts as long as Defender asked', () => {
      assert.deepEqual(only('throttled').hold, { reason: 'throttled', length: { forMs: 30_000 } });
      assert.deepEqual(only('server_error').hold, { reason: 'failing', length: { forMs: 9_000 } });
    });

    it('grows with each throttling in a row when Defender does not say for how long, or says for no time', () => {
      const [, unsaid, zero] = samples.throttled;
      const growing = { reason: 'throttled', length: 'growing' };
      assert.deepEqual(policyFor(unsaid!, wording).hold, growing);
      assert.deepEqual(policyFor(zero!, wording).hold, growing);
    });

    it('grows while Defender fails, allows nothing or cannot be reached', () => {
      assert.deepEqual(policyFor(samples['server_error'][1]!, wording).hold, {
        reason: 'failing',
        length: 'growing',
      });
      assert.deepEqual(only('timeout').hold, { reason: 'failing', length: 'growing' });
      assert.deepEqual(only('connection_lost').hold, { reason: 'failing', length: 'growing' });
      assert.deepEqual(only('not_allowed').hold, { reason: 'not_allowed', length: 'growing' });
      for (const kind of ['endpoint_unusable', 'disabled', 'retired'] as const) {
        for (const outcome of samples[kind]) {
          assert.deepEqual(policyFor(outcome, wording).hold, { reason: kind, length: 'growing' });
        }
      }
      const unreachable = { reason: 'unreachable', length: 'growing' };
      for (const reason of [
        'dns',
        'connection_refused',
        'connect_timeout',
        'proxy',
        'tls',
        'network',
      ] as const) {
        assert.deepEqual(notSent(reason).hold, unreachable, reason);
      }
    });

    it('is set by what keeps a call from being sent at all, which is never the request itself', () => {
      assert.deepEqual(notSent('invalid_request').hold, { reason: 'endpoint_unusable', length: 'growing' });
      assert.deepEqual(notSent('no_token').hold, { reason: 'no_token', length: 'growing' });
    });

    it("is set by another's answer where Defender's should be", () => {
      const { hold } = policyFor(samples.unknown[1]!, wording);
      assert.deepEqual(hold, { reason: 'endpoint_unusable', length: 'growing' });
    });

    it('is not set by an answer about this machine alone, nor by one rejected token', () => {
      const kinds = [
        'started',
        'unknown',
        'already_running',
        'machine_not_found',
        'refused',
        'token_rejected',
      ];
      const single = all.filter((outcome) => kinds.includes(outcome.kind) && !('isForeign' in outcome));
      for (const outcome of single) {
        assert.equal(policyFor(outcome, wording).hold, undefined, outcome.kind);
      }
    });

    it('is not set by our own stop, nor by a send deadline of ours: Defender did nothing wrong', () => {
      assert.equal(policyFor(samples['connection_lost'][1]!, wording).hold, undefined);
      assert.equal(notSent('shutdown').hold, undefined);
      assert.equal(notSent('send_deadline_passed').hold, undefined);
    });
  });

  it('repeats no more than a bounded part of what Defender says', () => {
    const body = {
      error: { code: 'c'.repeat(9_999), message: 'm'.repeat(9_999), target: 't'.repeat(9_999) },
    };
    for (const status of [400, 404, 409, 410, 500]) {
      const verdict = classifyResponse(
        { status, headers: {}, body },
        { profile: initiateInvestigation, parameters: {}, tokenRenewed: false, nowMs: 0 },
      );
      const error = toldBy(policyFor({ ...verdict, durationMs }, wording));
      assert.ok((error?.message.length ?? 0) < 800, `${status}: ${error?.message.length}`);
      assert.ok((error?.defenderTarget?.length ?? 0) <= 200);
    }
  });

  it('is plain data, the same after a detour through JSON, so that a successor can repeat it', () => {
    for (const outcome of all) {
      const { requests } = policyFor(outcome, wording);
      assert.deepEqual(JSON.parse(JSON.stringify(requests)), requests, outcome.kind);
    }
  });

  describe('of a machine action that another call made', () => {
    const running = { kind: 'machineAction', id: 'action-1' } as const;
    const wordingOfScan = runAntiVirusScan.wording;

    it('is the end of the requests where it does all that was asked for', () => {
      const outcome = {
        kind: 'already_running',
        running: { ...running, covers: true },
        status: 201,
        durationMs,
      } as const;
      assert.deepEqual(policyFor(outcome, wordingOfScan), {
        requests: {
          kind: 'settle',
          settlement: { status: 'started', result: running, attached: true, attempts: 1 },
        },
        permit: 'spent',
      });
    });

    it('is looked up where it does not, or is not named, in the words of the operation', () => {
      for (const more of [{ running: { ...running, covers: false } }, {}]) {
        const outcome = { kind: 'already_running', status: 400, durationMs, ...more } as const;
        const { cause, error } = unresolvedIn(policyFor(outcome, wordingOfScan));
        assert.equal(cause, 'running');
        assert.match(
          error.message,
          /^Defender says that an antivirus scan of this machine is already under way\./,
        );
      }
    });
  });
});
