import assert from 'node:assert/strict';
import { nextStepOf, parseTraceContext, traceContext, traceIdOf } from './trace-context.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';
const valid = `00-${trace}-b7ad6b7169203331-01`;

describe('parseTraceContext', () => {
  it('takes what the standard calls valid', () => {
    assert.deepEqual(parseTraceContext(valid), { traceparent: valid });
    assert.deepEqual(parseTraceContext(valid, 'congo=t61rcWkgMzE , rojo@x=00f067aa0ba902b7'), {
      traceparent: valid,
      tracestate: 'congo=t61rcWkgMzE,rojo@x=00f067aa0ba902b7',
    });
  });

  it('reads a later version as the one that it knows', () => {
    for (const later of [`cc${valid.slice(2)}`, `cc${valid.slice(2)}-what-comes-later`]) {
      assert.deepEqual(parseTraceContext(later), { traceparent: valid });
    }
  });

  for (const [why, given] of Object.entries({
    'is missing': undefined,
    'is empty': '',
    'came twice': `${valid}, ${valid}`,
    'has capitals': valid.toUpperCase(),
    'has more than version 00 has': `${valid}-01`,
    'has the forbidden version': `ff${valid.slice(2)}`,
    'has no trace': `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    'has no parent': `00-${trace}-${'0'.repeat(16)}-01`,
    'is too short': valid.slice(0, -1),
    'is something else': 'Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln',
  })) {
    it(`ignores a traceparent that ${why}`, () => {
      assert.equal(parseTraceContext(given, 'congo=1'), undefined);
    });
  }

  for (const [why, given] of Object.entries({
    'is no list of pairs': 'congo',
    'has a name twice': 'congo=1,congo=2',
    'has characters that are not allowed': 'congo=ü',
    'is longer than is passed on': `congo=${'x'.repeat(250)},b=${'x'.repeat(250)},c=${'x'.repeat(9)}`,
    'has too many members': Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(','),
    'is empty': ' , ',
  })) {
    it(`keeps the traceparent without a tracestate that ${why}`, () => {
      assert.deepEqual(parseTraceContext(valid, given), { traceparent: valid });
    });
  }
});

describe('nextStepOf', () => {
  it('stays in the trace, with its flags and state, under a new span id', () => {
    const before = { traceparent: valid, tracestate: 'congo=1' };
    const next = nextStepOf(before);
    assert.equal(traceContext.safeParse(next).success, true);
    assert.equal(traceIdOf(next), trace);
    assert.notEqual(next.traceparent, valid);
    assert.deepEqual([next.traceparent.slice(-2), next.tracestate], ['01', 'congo=1']);
  });
});
