import assert from 'node:assert/strict';
import { z } from 'zod';
import {
  duration,
  flag,
  httpsUrl,
  port,
  positiveInt,
  readSettings,
  SettingsError,
  wholeNumber,
} from './read-settings.ts';

function faultsOf(read: () => unknown): readonly string[] {
  let faults: readonly string[] = [];
  assert.throws(read, (error) => {
    assert.ok(error instanceof SettingsError);
    assert.equal(error.message, error.faults.join('\n'));
    faults = error.faults;
    return true;
  });
  return faults;
}

const accepts = (kind: z.ZodType, text: string): unknown => kind.parse(text);
const refuses = (kind: z.ZodType, texts: string[]): void => {
  for (const text of texts) assert.equal(kind.safeParse(text).success, false, `accepted ${text}`);
};

describe('readSettings', () => {
  const schema = z.object({
    HTTP_PORT: port().prefault('8080'),
    WORKERS: positiveInt(),
    WAIT: duration().prefault('3s'),
    MODE: z.enum(['on', 'off']).default('on'),
    HOST: z.string().describe('the name of the host'),
    SECRET: z.string().optional(),
  });

  it('reads values without the blanks and line ends around them; what is nothing else is unset', () => {
    const env = { WORKERS: ' 3\n', HOST: '\tname\r\n', SECRET: '\n', MODE: ' off ', WAIT: ' ' };
    const read = readSettings(schema, env, { secrets: ['SECRET'] });
    assert.deepEqual(read, { HTTP_PORT: 8080, WORKERS: 3, WAIT: 3_000, MODE: 'off', HOST: 'name' });
    assert.equal(readSettings(schema, { ...env, SECRET: 's3cret-value\r\n' }).SECRET, 's3cret-value');
  });

  it('refuses a control character within a value, without repeating the value', () => {
    for (const character of ['\n', '\r', '\t', '\u0000', '\u001b', '\u007f', '\u0085', '\u2028']) {
      const faults = faultsOf(() =>
        readSettings(
          schema,
          { WORKERS: '3', HOST: 'name', SECRET: `s3cret${character}value` },
          { secrets: ['SECRET'] },
        ),
      );
      assert.deepEqual(faults, ['SECRET: holds a control character, such as a line end (expected none)']);
    }
    const list = { WORKERS: '3', HOST: 'one,\n\ttwo\r\n,three' };
    assert.equal(readSettings(schema, list, { lists: ['HOST'] }).HOST, list.HOST);
    assert.equal(
      faultsOf(() => readSettings(schema, { ...list, HOST: 'a\u0000b' }, { lists: ['HOST'] })).length,
      1,
    );
  });

  it('returns typed values, with defaults for what is unset', () => {
    const settings = readSettings(schema, { WORKERS: '4', HOST: 'a', UNRELATED: 'x' });
    assert.deepEqual(settings, { HTTP_PORT: 8080, WORKERS: 4, WAIT: 3_000, MODE: 'on', HOST: 'a' });
  });

  it('counts an empty string as unset', () => {
    const settings = readSettings(schema, { WORKERS: '4', HOST: 'a', WAIT: '', SECRET: '' });
    assert.equal(settings.WAIT, 3_000);
    assert.equal(settings.SECRET, undefined);
    assert.match(faultsOf(() => readSettings(schema, { WORKERS: '4', HOST: '' }))[0] ?? '', /^HOST: not set/);
  });

  it('reports all faults at once, each with its name, what is wrong and what is expected', () => {
    assert.deepEqual(
      faultsOf(() =>
        readSettings(schema, { HTTP_PORT: '70000', WORKERS: 'many', WAIT: '3 weeks', MODE: 'maybe' }),
      ),
      [
        'HTTP_PORT: not such a number (expected a whole number from 0 to 65535)',
        'WORKERS: not such a number (expected a whole number of at least 1)',
        'WAIT: not a duration (expected such as 500ms, 3s, 15m, 1h, 30d or plain milliseconds)',
        'MODE: not usable (expected one of on, off)',
        'HOST: not set (expected the name of the host)',
      ],
    );
  });

  it('finds the expectation of a setting that is also optional or has a default', () => {
    const optional = z.object({ LEVEL: z.enum(['a', 'b']).describe('a level').optional() });
    assert.deepEqual(
      faultsOf(() => readSettings(optional, { LEVEL: 'c' })),
      ['LEVEL: not usable (expected a level)'],
    );
  });

  it('reports what is wrong between two settings under the name the check gives', () => {
    const related = z
      .object({ LOCK: duration(), CALL: duration() })
      .refine((settings) => settings.LOCK >= 2 * settings.CALL, {
        path: ['LOCK'],
        message: 'too short (expected at least twice CALL)',
      });
    assert.deepEqual(
      faultsOf(() => readSettings(related, { LOCK: '3s', CALL: '2s' })),
      ['LOCK: too short (expected at least twice CALL)'],
    );
  });

  it('never repeats the value of a secret, whatever a check puts into its message', () => {
    const telltale = z.object({
      SECRET: z.string().refine(() => false, { error: (issue) => `no good: ${String(issue.input)}` }),
    });
    const faults = faultsOf(() => readSettings(telltale, { SECRET: 'hunter22' }, { secrets: ['SECRET'] }));
    assert.deepEqual(faults, ['SECRET: no good: [redacted]']);
  });

  it('leaves its words alone where they hold by chance what was set for a secret', () => {
    const schema = z.object({ PORT: port(), SECRET: z.string() });
    const faults = faultsOf(() =>
      readSettings(schema, { PORT: 'many', SECRET: 'a' }, { secrets: ['SECRET'] }),
    );
    assert.deepEqual(faults, ['PORT: not such a number (expected a whole number from 0 to 65535)']);
  });

  it('never repeats what was set for one of its own kinds', () => {
    const kinds = z.object({
      A: port(),
      B: duration(),
      C: flag(),
      D: httpsUrl(),
      E: z.enum(['x']),
      F: wholeNumber(),
    });
    const env = Object.fromEntries(['A', 'B', 'C', 'D', 'E', 'F'].map((name) => [name, 'hunter2']));
    const faults = faultsOf(() => readSettings(kinds, env));
    assert.equal(faults.length, 6);
    assert.doesNotMatch(faults.join(), /hunter2/);
  });

  it('reports the fault of a secret file together with the others, and only once', () => {
    const secret = z.object({ KEY: z.string(), WORKERS: positiveInt() });
    const faults = faultsOf(() => readSettings(secret, { KEY_FILE: '/nowhere/key' }, { secrets: ['KEY'] }));
    assert.equal(faults.length, 2);
    assert.match(faults[0] ?? '', /^KEY_FILE: the file cannot be read, ENOENT \(expected /);
    assert.match(faults[1] ?? '', /^WORKERS: not set/);
  });
});

describe('kinds of settings', () => {
  it('reads durations in every unit as milliseconds', () => {
    const texts = ['500ms', '3s', '1.5s', '15m', '1h', '30d', '250', '0'];
    assert.deepEqual(
      texts.map((text) => accepts(duration(), text)),
      [500, 3_000, 1_500, 900_000, 3_600_000, 2_592_000_000, 250, 0],
    );
    refuses(duration(), ['-1s', '1w', '1h30m', 's', '0.5ms', '1e3', 'Infinity', '99999999999d']);
  });

  it('holds durations to their bounds, which are inclusive and named in readable units', () => {
    const bounded = duration({ minMs: 1_000, maxMs: 3_600_000 });
    assert.equal(accepts(bounded, '1s'), 1_000);
    assert.equal(accepts(bounded, '1h'), 3_600_000);
    assert.match(bounded.safeParse('999ms').error?.message ?? '', /at least 1s/);
    assert.match(bounded.safeParse('61m').error?.message ?? '', /at most 1h/);
  });

  it('reads ports and counts as whole numbers within their range', () => {
    assert.equal(accepts(port(), '0'), 0);
    assert.equal(accepts(port(), '65535'), 65_535);
    refuses(port(), ['65536', '-1', '80.5', '0x50', '']);
    refuses(positiveInt({ max: 5 }), ['0', '6']);
    assert.equal(accepts(positiveInt({ max: 5 }), '5'), 5);
  });

  it('reads switches in the usual words', () => {
    assert.deepEqual(
      ['on', 'TRUE', '1', 'yes'].map((text) => accepts(flag(), text)),
      [true, true, true, true],
    );
    assert.deepEqual(
      ['off', 'False', '0', 'no'].map((text) => accepts(flag(), text)),
      [false, false, false, false],
    );
    refuses(flag(), ['maybe', '2', '']);
  });

  it('takes https addresses, and plain http only where it cannot leave the machine', () => {
    assert.equal(accepts(httpsUrl(), 'https://api.example.com/base/'), 'https://api.example.com/base');
    for (const host of ['localhost', '127.0.0.1', '[::1]']) {
      assert.equal(accepts(httpsUrl(), `http://${host}:8080/`), `http://${host}:8080`);
    }
    refuses(httpsUrl(), [
      'http://example.com',
      'http://127.evil.com',
      'http://localhost.evil.com',
      'ftp://localhost',
    ]);
    refuses(httpsUrl(), ['https://user:pass@example.com', 'https://example.com/?a=1', 'example.com']);
  });
});
