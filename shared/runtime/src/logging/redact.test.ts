import assert from 'node:assert/strict';
import { redactText } from './logger.ts';

const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl';

describe('text for a log', () => {
  it('has no JWT in it, whatever stands around it', () => {
    for (const [before, after] of [
      ['', ''],
      ['token ', '.'],
      ['some.words.before.', ' and behind'],
      ['averylongword.', '/x'],
      ['_glued', '-glued'],
      ['eyJ.eyJ.', ''],
    ] as const) {
      assert.doesNotMatch(redactText(`${before}${jwt}${after}`), /eyJzdWIi|c2lnbmF0/, before);
    }
  });

  it('has no secret of a body in it, however often its JSON was packed into JSON', () => {
    let body = '{"client_secret":"s3cret-value"}';
    for (let i = 0; i < 5; i += 1) {
      assert.doesNotMatch(redactText(body), /s3cret/, body);
      body = JSON.stringify({ body });
    }
  });

  describe('is made in a time that grows with its length and no faster', () => {
    // Every character and word that an expression looks for, in runs.
    const runs = [
      ...String.raw`\ " ' : / @ . - _ = & a 0 ~ +`.split(' '),
      ' ',
      '\t',
      'eyJ',
      'eyJ.',
      'eyJeyJ-',
      'eyJabcdefgh.a',
      'Bearer ',
      'Bearer',
      '://',
      '://a',
      'password=',
      '"password"',
      '"password" :',
      String.raw`\"`,
      String.raw`\"password\\`,
      'a.b.',
    ];
    for (const run of runs) {
      it(`for a run of ${JSON.stringify(run)}`, () => {
        const [short, long] = [40_000, 320_000];
        const timeOf = (length: number): number => {
          const text = run.repeat(Math.ceil(length / run.length));
          return Math.min(...[0, 1, 2].map(() => measure(() => redactText(text))));
        };
        timeOf(short);
        // Eight times the text: some eight times the work, and not 64 times. Next to nothing may be anything.
        assert.ok(
          timeOf(long) < 24 * Math.max(timeOf(short), 1_000),
          `${timeOf(short)} to ${timeOf(long)} µs`,
        );
      });
    }
  });
});

/** Processor time of this thread's process, in µs. */
function measure(act: () => void): number {
  const before = process.cpuUsage();
  act();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
