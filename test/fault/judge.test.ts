import assert from 'node:assert/strict';
import { excusedLosses, judge } from './judge.ts';
import type { Evidence, RequestState, Rule } from './judge.ts';
import type { Lag } from './lag.ts';
import type { AcknowledgedRequest } from './load.ts';
import type { WireCall } from './simulator-log.ts';

const startMs = Date.parse('2026-01-01T00:00:00Z');
const windowMs = 3_000;
const reconcileGraceMs = 2_000;

function call(atMs: number, fields: Partial<WireCall> = {}): WireCall {
  return {
    atMs,
    at: new Date(startMs + atMs).toISOString(),
    machineId: 'm1',
    comment: 'intent 1',
    status: 200,
    answeredAtMs: atMs + 5,
    ...fields,
  };
}

const made = (atMs: number, id: string, fields: Partial<WireCall> = {}) =>
  call(atMs, { investigationId: id, ...fields });
const failed = (atMs: number, fields: Partial<WireCall> = {}) => call(atMs, { status: 500, ...fields });

function request(fields: Partial<RequestState> = {}): RequestState {
  return {
    id: 'r1',
    machineId: 'm1',
    comment: 'intent 1',
    status: 'started',
    investigationId: '7',
    ...fields,
  };
}

function acknowledged(fields: Partial<AcknowledgedRequest> = {}): AcknowledgedRequest {
  const times = { postedAtMs: startMs, acknowledgedAtMs: startMs + 10 };
  return { id: 'r1', batchId: 'b1', machineId: 'm1', comment: 'intent 1', ...times, ...fields };
}

/** One request whose call made investigation 7, and of which all is well. */
function evidence(fields: Partial<Evidence> = {}): Evidence {
  return {
    limit: 2,
    windowMs,
    reconcileGraceMs,
    calls: [made(100, '7')],
    investigations: [{ id: '7', machineId: 'm1' }],
    acknowledged: [acknowledged()],
    documents: new Map([['r1', request()]]),
    recorded: [request()],
    seenTerminal: [request()],
    idle: [],
    faults: [],
    crashes: [],
    forgottenUntilMs: 0,
    lostBeforeErasing: [],
    lags: [],
    ...fields,
  };
}

const broken = (fields: Partial<Evidence>): Rule[] => judge(evidence(fields)).map(({ rule }) => rule);
const ofState = (state: RequestState): Partial<Evidence> => ({
  documents: new Map([[state.id, state]]),
  recorded: [state],
  seenTerminal: [],
});

describe('the judge of a fault run', () => {
  it('finds nothing where all promises were kept', () => {
    assert.deepEqual(judge(evidence()), []);
  });

  describe('windows', () => {
    const at = (...times: number[]) => ({
      calls: times.map((atMs, i) => call(atMs, { comment: `intent ${i}`, status: 429, machineId: `m${i}` })),
    });

    it('may hold as many calls as the limit, wherever they begin', () => {
      assert.ok(!broken(at(100, 200, 100 + windowMs, 200 + windowMs)).includes('window'));
    });

    it('are broken by one call too many, also a millisecond before the window is over, whatever it was answered', () => {
      assert.ok(broken(at(100, 200, 99 + windowMs)).includes('window'));
      assert.ok(broken(at(5_000, 6_000, 1_000 + 5_000)).includes('window'));
    });

    it('that are broken name their calls, so that the logs can be searched for them', () => {
      const [first] = judge(evidence(at(100, 200, 99 + windowMs)));
      assert.match(
        first?.text ?? '',
        /^3 calls .*: \+0 ms 429, .*"intent 0"; \+100 ms .*"intent 1"; \+2999 ms .*"intent 2"$/,
      );
    });
  });

  describe('calls for one intent', () => {
    const repeats = (...calls: WireCall[]) =>
      broken({ calls }).filter((rule) => rule === 'double' || rule === 'blind-repeat');

    it('may follow one that was not let in', () => {
      for (const status of [401, 403, 429]) assert.deepEqual(repeats(call(0, { status }), made(9, '7')), []);
    });

    it('may follow a refusal that a page stood in for, and none that Defender itself has written', () => {
      assert.deepEqual(repeats(call(0, { status: 404, paged: true }), made(9, '7')), []);
      assert.deepEqual(repeats(call(0, { status: 404 }), made(9, '7')), ['blind-repeat']);
      assert.deepEqual(repeats(call(0, { status: 200, paged: true }), made(9, '7')), ['blind-repeat']);
    });

    it('may follow one that failed, as soon as Defender has had its time to show what came of it', () => {
      assert.deepEqual(repeats(failed(0), made(reconcileGraceMs, '7')), []);
      assert.deepEqual(repeats(failed(0), made(reconcileGraceMs - 1, '7')), ['blind-repeat']);
    });

    it('may not follow one that failed and made an investigation, or whose answer never left', () => {
      assert.deepEqual(repeats(failed(0, { investigationId: '6' }), failed(9_000)), ['blind-repeat']);
      assert.deepEqual(repeats(failed(0, { answeredAtMs: undefined }), made(9_000, '7')), ['blind-repeat']);
    });

    it('may not follow one whose answer was lost, nor one that was an end', () => {
      for (const status of ['hang', 'reset', 'pending', 'aborted', 200, 400, 404] as const) {
        assert.deepEqual(repeats(call(0, { status }), made(9_000, '7')), ['blind-repeat'], String(status));
      }
    });

    it('may meet the same refusal once more, whose first answer may have broken off, and no more', () => {
      const refused = (atMs: number) => call(atMs, { status: 404 });
      assert.deepEqual(repeats(refused(0), refused(9_000)), []);
      assert.deepEqual(repeats(refused(0), refused(4_000), refused(9_000)), ['blind-repeat']);
      assert.deepEqual(repeats(refused(0), call(9_000, { status: 400 })), ['blind-repeat']);
    });

    it('are judged one by one, not only the last', () => {
      assert.deepEqual(repeats(call(0, { status: 'hang' }), failed(4_000), made(9_000, '7')), [
        'blind-repeat',
      ]);
    });

    it('make one investigation at most', () => {
      assert.deepEqual(repeats(made(0, '6'), made(9_000, '7')), ['double']);
      assert.deepEqual(repeats(failed(0, { investigationId: '6' }), made(9_000, '7')), ['double']);
    });

    it('are distinguished by their comments, and one that broke off before its comment counts for none', () => {
      assert.deepEqual(repeats(made(0, '6', { comment: 'intent 2' }), made(9_000, '7')), []);
      assert.deepEqual(repeats(call(0, { status: 'aborted', comment: undefined }), made(9_000, '7')), []);
    });
  });

  describe('requests for one machine', () => {
    const two = (acknowledgedAtMs: number, forgottenUntilMs = 0) => ({
      calls: [made(1_000, '6', { comment: 'intent 0' }), made(9_000, '7')],
      acknowledged: [
        acknowledged({ acknowledgedAtMs: startMs + acknowledgedAtMs }),
        acknowledged({ id: 'r0', comment: 'intent 0' }),
      ],
      forgottenUntilMs,
    });

    it('have a call each when the later one came after the call of the earlier', () => {
      assert.ok(!broken(two(1_001)).includes('uncoalesced'));
    });

    it('share one when the later was accepted before that', () => {
      assert.ok(broken(two(999)).includes('uncoalesced'));
    });

    it('need not where everything had been erased in between', () => {
      assert.ok(!broken(two(999, startMs + 1)).includes('uncoalesced'));
    });
  });

  describe('what was accepted', () => {
    const missing = { documents: new Map(), recorded: [], seenTerminal: [] };

    it('is lost when it is not there, or is another request', () => {
      assert.deepEqual(broken(missing), ['lost']);
      assert.ok(broken(ofState(request({ comment: 'intent 2' }))).includes('lost'));
      assert.ok(broken(ofState(request({ machineId: 'm2' }))).includes('lost'));
    });

    it('may be gone only when everything was erased after it was asked', () => {
      assert.deepEqual(broken({ ...missing, forgottenUntilMs: startMs }), []);
      assert.deepEqual(broken({ ...missing, forgottenUntilMs: startMs - 1 }), ['lost']);
      assert.deepEqual(broken({ lostBeforeErasing: ['r0'] }), ['lost']);
    });

    it('may be gone where a replica took over that lagged when it was accepted, and did not have it', () => {
      const lag = { fromMs: startMs + 10, toMs: startMs + 10, kept: new Set<string>() };
      const lost = (lags: Partial<Lag>, fields: Partial<Evidence> = missing) =>
        broken({ ...fields, lags: [{ ...lag, ...lags }] });
      assert.deepEqual(lost({}), []);
      assert.deepEqual(lost({ fromMs: startMs - 10, toMs: startMs }), []);
      assert.deepEqual(
        lost({ fromMs: startMs + 11, toMs: startMs + 20 }),
        ['lost'],
        'acknowledged before the lag',
      );
      assert.deepEqual(lost({ fromMs: startMs - 10, toMs: startMs - 1 }), ['lost'], 'asked after the lag');
      assert.deepEqual(lost({ kept: new Set(['r1']) }), ['lost'], 'the replica had it');
      assert.deepEqual(lost({}, ofState(request({ comment: 'intent 2' }))), ['lost', 'wrong-investigation']);
    });

    it('is counted where that excuses it, and only then', () => {
      const lags = [{ fromMs: startMs, toMs: startMs + 10, kept: new Set<string>() }];
      const others = [
        acknowledged({ id: 'r2', postedAtMs: startMs + 11, acknowledgedAtMs: startMs + 12 }),
        acknowledged({ id: 'r3' }),
      ];
      const states = {
        documents: new Map([['r3', request({ id: 'r3' })]]),
        acknowledged: [acknowledged(), ...others],
      };
      const excused = excusedLosses(evidence({ ...states, lags }));
      assert.deepEqual(
        excused.map(({ id }) => id),
        ['r1'],
      );
      assert.deepEqual(excusedLosses(evidence(states)), []);
    });

    it('has a terminal status, whether or not its caller received the 202', () => {
      for (const status of ['queued', 'dispatching', 'missing']) {
        assert.deepEqual(broken(ofState(request({ status }))), ['unsettled'], status);
        assert.deepEqual(broken({ recorded: [request({ id: 'r2', status })] }), ['unsettled'], status);
      }
      for (const status of ['failed', 'unknown', 'cancelled', 'expired']) {
        assert.deepEqual(broken(ofState(request({ status }))), [], status);
      }
    });

    it('keeps the outcome that it once had', () => {
      assert.deepEqual(broken({ seenTerminal: [request({ status: 'unknown' })] }), ['changed']);
      assert.deepEqual(broken({ seenTerminal: [request({ investigationId: '6' })] }), ['changed']);
    });
  });

  describe('the investigation id of a request', () => {
    const other = {
      calls: [made(0, '6', { comment: 'intent 0' }), made(5_000, '7', { comment: 'intent 9' })],
    };

    it('is one that exists and is of its machine', () => {
      assert.deepEqual(broken(ofState(request({ investigationId: '9' }))), ['wrong-investigation']);
      assert.deepEqual(broken(ofState(request({ investigationId: undefined }))), ['wrong-investigation']);
      const elsewhere = { investigations: [{ id: '7', machineId: 'm2' }] };
      assert.deepEqual(broken(elsewhere), ['wrong-investigation']);
      assert.deepEqual(broken({ ...elsewhere, ...ofState(request({ attached: true })) }), [
        'wrong-investigation',
      ]);
    });

    it('is that of its own call, or of the call of the request it joined', () => {
      assert.ok(broken(other).includes('wrong-investigation'));
      const joined = request({ id: 'r2', comment: 'intent 2', coalescedWith: 'r1' });
      assert.deepEqual(broken({ recorded: [request(), joined] }), []);
      assert.deepEqual(broken({ recorded: [request(), { ...joined, coalescedWith: undefined }] }), [
        'wrong-investigation',
      ]);
    });

    it('may be of another call where the request says that it is attached', () => {
      assert.deepEqual(broken({ ...other, ...ofState(request({ attached: true })) }), []);
    });
  });

  it('reports slots that stayed unused, and processes that ended by themselves', () => {
    assert.deepEqual(broken({ idle: [{ fromMs: 0, toMs: 60_000 }] }), ['idle']);
    assert.deepEqual(broken({ crashes: ['worker ended by itself'] }), ['crash']);
  });
});
