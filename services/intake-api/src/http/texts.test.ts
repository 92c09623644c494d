import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item } from '../test-support/items.ts';

const controls = ['\0', '\u0001', '\u0008', '\u000b', '\u001b[31m', '\u007f', '\u0085', '\u009b31m'];
const lineEnds = ['\n', '\r', '\r\n', '\t', '\u2028', '\u2029'];
const invisible = [
  '\0\0',
  '\u200b\u200d',
  ' \u00a0\u3000',
  '\u2060\ufeff',
  '\u202e',
  '\u3164',
  '\u2800',
  '\u00ad',
];

/** Every text that a caller may write, with the field that it stands in. */
const texts: Readonly<Record<string, (text: string) => [path: string, body: object, field: string]>> = {
  comment: (text) => ['/v1/investigations', item(1, { comment: text }), 'comment'],
  source: (text) => ['/v1/investigations', item(1, { source: text }), 'source'],
  'correlation value': (text) => [
    '/v1/investigations',
    item(1, { correlation: { run: text } }),
    'correlation.run',
  ],
  'correlation name': (text) => [
    '/v1/investigations',
    item(1, { correlation: { [text]: 'x' } }),
    `correlation.${text.toWellFormed()}`,
  ],
  'comment of all items': (text) => [
    '/v1/batches',
    { requests: [item(1)], defaults: { comment: text } },
    'defaults.comment',
  ],
  'source of all items': (text) => [
    '/v1/batches',
    { requests: [item(1)], defaults: { source: text } },
    'defaults.source',
  ],
  'reason for a pause': (text) => ['/v1/queue/pause', { reason: text }, 'reason'],
  'reason for a bulk cancel': (text) => [
    '/v1/investigations/cancel',
    { source: 'x', reason: text },
    'reason',
  ],
  'source of a bulk cancel': (text) => ['/v1/investigations/cancel', { source: text }, 'source'],
};

describe('a text of a caller', () => {
  const intake = useIntake(useEmbeddedRedis());
  const refused = async (name: string, text: string) => {
    const [path, body, field] = texts[name]?.(text) ?? ['', {}, ''];
    const problem = expectProblem(await intake.as('operator', 'post', path, body), 'invalid_request');
    assert.equal(problem.errors?.[0]?.path, field, JSON.stringify(text));
    return problem.errors[0]?.message ?? '';
  };

  for (const name of Object.keys(texts)) {
    it(`such as the ${name} is refused with control characters in it, and named`, async () => {
      for (const control of controls) assert.match(await refused(name, `a${control}b`), /control characters/);
      if (name.startsWith('comment')) return;
      for (const end of lineEnds)
        assert.match(await refused(name, `a${end}b`), /control characters or line ends/);
    });

    if (name === 'correlation value') continue;
    it(`such as the ${name} is refused where nothing in it can be seen`, async () => {
      for (const text of invisible) assert.notEqual(await refused(name, text), '');
    });
  }

  it('may have lines where it is a comment, and characters of every script', async () => {
    for (const comment of ['a\nb', 'a\r\n\tb', 'a\u2028b', '字\n🚨👩‍💻', 'مرحبا']) {
      const { body } = await intake.post('/v1/investigations', item(2, { comment })).expect(202);
      assert.equal(body.comment, comment);
    }
  });

  it('has no half characters, wherever it is given back', async () => {
    const half = 'half \ud83d';
    const given = item(3, { comment: half, source: half, correlation: { [half]: half } });
    const { body } = await intake.post('/v1/investigations', given).expect(202);
    const { text } = await intake.as('operator', 'post', '/v1/queue/pause', { reason: half }).expect(200);
    const refusal = await intake.post('/v1/investigations', { ...given, [`x${'🚨'.repeat(100)}\ud83d`]: 1 });
    const audit = await intake.as('operator', 'get', '/v1/audit').expect(200);
    const quota = await intake.get('/v1/quota').expect(200);
    for (const answered of [
      JSON.stringify(body),
      text,
      refusal.text,
      audit.text,
      quota.text,
      JSON.stringify(intake.log),
    ]) {
      assert.doesNotMatch(answered, /\\ud[89a-f]/i);
      assert.ok((JSON.parse(answered) as object) && answered.isWellFormed());
    }
    await intake.as('operator', 'post', '/v1/queue/resume', {}).expect(200);
  });

  it('that is accepted as a source finds its own requests and no others', async () => {
    const source = fc
      .string({
        unit: fc.oneof(
          fc.constantFrom('\0', '\u0001', 'a', 'é', '-', '\u007f'),
          fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        ),
        minLength: 1,
        maxLength: 6,
      })
      .map((end) => `victim${end}`);
    await intake.post('/v1/investigations', item(99, { source: 'victim' })).expect(202);
    const accepted = new Set<string>(['victim']);
    for (const [i, text] of fc.sample(source, 150).entries()) {
      const { status } = await intake.post('/v1/investigations', item(100 + i, { source: text }));
      assert.ok(status === 202 || status === 400);
      if (status === 202) accepted.add(text);
    }
    assert.ok(accepted.size > 30);
    for (const one of accepted) {
      const { body } = await intake
        .get(`/v1/investigations?limit=500&source=${encodeURIComponent(one)}`)
        .expect(200);
      assert.ok(body.value.length > 0 && body.nextLink === undefined, JSON.stringify(one));
      for (const found of body.value as { source: string }[]) assert.equal(found.source, one);
    }
  });
});
