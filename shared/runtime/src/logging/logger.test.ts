import assert from 'node:assert/strict';
import { createLogger, secretKeys, type Logger } from './logger.ts';

const secret = 'S3CRET-value-0123456789';

function logged(write: (logger: Logger) => void): string {
  let output = '';
  const destination = { write: (line: string) => void (output += line) };
  write(createLogger({ level: 'trace', service: 'test', destination }));
  assert.notEqual(output, '');
  return output;
}

describe('the log', () => {
  it('is one JSON line for each record, with ISO time, level by name and service', () => {
    const line = JSON.parse(logged((logger) => logger.info({ count: 3 }, 'hello'))) as Record<
      string,
      unknown
    >;
    assert.match(String(line['time']), /^\d{4}-\d\d-\d\dT.*Z$/);
    assert.deepEqual(
      { ...line, time: 0 },
      { level: 'info', time: 0, service: 'test', count: 3, msg: 'hello' },
    );
  });

  it('has no character that a reader does not see, or takes for the end of a line or a command', () => {
    const unseen =
      '\u0000\u001b[31m\u007f\u0085\u009b31m\u00ad\u200b\u2028\u2029\u202e\u2066\ufeff\u{e0041}\ud83d';
    const said = `a\\${unseen}\\`;
    const output = logged((logger) =>
      logger.child({ [said]: said }).info({ said, deep: { [said]: [said] } }, said),
    );
    assert.doesNotMatch(output.trimEnd(), /[\p{C}\p{Zl}\p{Zp}]/u);
    const line = JSON.parse(output) as Record<string, unknown>;
    assert.deepEqual([line['said'], line['msg'], line[said]], [said, said, said]);
    assert.match(
      logged((logger) => logger.info('Gerät 字 🚨')),
      /Gerät 字 🚨/,
    );
  });

  for (const key of secretKeys) {
    it(`shows no ${key}, at whatever depth, in whatever case`, () => {
      const output = logged((logger) => {
        logger.info({ [key]: secret });
        logger.info({ [key.toUpperCase()]: secret, a: { [key.toLowerCase()]: secret } });
        logger.info({ a: { b: { c: [{ d: { [key]: secret } }] } } });
        logger.info({ [key]: { value: secret }, kept: 'visible' });
        logger.child({ [key]: secret, a: { [key]: secret } }).info('from a child');
      });
      assert.doesNotMatch(output, /S3CRET/);
      assert.match(output, /visible/);
    });
  }

  it('shows no secret that hangs on an object of a class, such as a request', () => {
    class Incoming {
      headers = { authorization: secret, 'x-api-key': secret };
    }
    assert.doesNotMatch(
      logged((logger) => logger.info({ req: new Incoming() })),
      /S3CRET/,
    );
  });

  it('shows of an error only its closed list of fields, also of its cause and when nested', () => {
    const cause = Object.assign(new Error('inner'), { response: { data: secret }, code: 'ECONNRESET' });
    const error = Object.assign(new Error('outer', { cause }), {
      request: { headers: { authorization: secret } },
      config: { data: secret },
      headers: { cookie: secret },
      command: { name: 'evalsha', args: [secret] },
    });
    const output = logged((logger) => {
      logger.error({ err: error }, 'failed');
      logger.error(error);
      logger.error({ reason: error, list: [{ error }] });
    });
    assert.doesNotMatch(output, /S3CRET/);
    const { err } = JSON.parse(output.split('\n')[0] ?? '') as { err: Record<string, unknown> };
    assert.equal(err['message'], 'outer');
    assert.equal(err['command'], 'evalsha');
    assert.equal((err['cause'] as Record<string, unknown>)['code'], 'ECONNRESET');
  });

  it('recognises credentials by their form in any text', () => {
    const texts = [
      `connect redis://default:${secret}@redis:6379 failed`,
      `rediss://:${secret}/with@slash@host`.replace('/with', 'with'),
      `Authorization: Bearer ${secret}`,
      `first\nBearer ${secret}`,
      `grant_type=client_credentials&client_secret=${secret}&scope=x`,
      `{"access_token":"${secret}","expires_in":3599}`,
      JSON.stringify({ nested: JSON.stringify({ client_assertion: secret }) }),
    ];
    for (const text of texts) {
      const output = logged((logger) => {
        logger.info(text);
        logger.info({ text, deep: { list: [text] } });
        logger.error({ err: new Error(text) });
        logger.child({ text }).info('from a child');
      });
      assert.doesNotMatch(output, /S3CRET/, text);
      for (const line of output.trim().split('\n')) assert.ok(JSON.parse(line));
    }
  });

  it('survives records that contain themselves', () => {
    const record: Record<string, unknown> = { name: 'loop' };
    record['self'] = record;
    assert.match(
      logged((logger) => logger.info(record)),
      /loop/,
    );
  });
});
