import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { requestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { openReceiver, type Receiver } from '../callbacks/test-support/receiver.ts';
import { singleBodyLimitBytes } from '../http/middleware/require-json.ts';
import { callbackEnvironment } from '../test-support/callback-environment.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake, type IntakeUnderTest } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { itRefusesReusedKeys, itRefusesUnusableKeys, itReplays, postOnce } from '../test-support/replays.ts';
import { beginCall, makeCall } from '../test-support/worker-moves.ts';

describe('POST /v1/investigations?dryRun=true', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '2' });

  async function foresee(body: object): Promise<Record<string, unknown>> {
    const response = await intake.post('/v1/investigations?dryRun=true', body).expect(200);
    return response.body as Record<string, unknown>;
  }

  it('tells the place that the request would get and when it would start, and records nothing', async () => {
    const { expectedStartAt, ...rest } = await foresee(item(1));
    assert.deepEqual(rest, { dryRun: true, machineId: machineId(1), status: 'accepted', position: 1 });
    assert.ok(Math.abs(Date.parse(String(expectedStartAt)) - Date.now()) < 5_000);
    assert.deepEqual(await intake.tasks.waitingPage(0, 1), []);
  });

  it('tells the request that it would join', async () => {
    const { id } = (await intake.post('/v1/investigations', item(2)).expect(202)).body as { id: string };
    const { status, coalescedWith, position } = await foresee(item(2));
    assert.deepEqual([status, coalescedWith, position], ['coalesced', id, 1]);
  });

  it('warns of a deadline that cannot be met, and refuses it where it is strict', async () => {
    for (const number of [3, 4]) await intake.post('/v1/investigations', item(number)).expect(202);
    const late = item(5, { notAfter: new Date(Date.now() + 60_000).toISOString() });
    const { warning } = await foresee(late);
    assert.equal((warning as { code: string }).code, 'deadline_unlikely');
    const response = await intake.post('/v1/investigations?dryRun=true', { ...late, strict: true });
    expectProblem(response, 'deadline_unreachable');
  });

  it('refuses any other value', async () => {
    const response = await intake.post('/v1/investigations?dryRun=1', item(6));
    assert.equal(expectProblem(response, 'invalid_request').errors?.[0]?.path, 'dryRun');
  });
});

describe('POST /v1/investigations with a callback', () => {
  const redis = useEmbeddedRedis();
  const environment: Record<string, string> = {};
  let receiver: Receiver;
  before(async () => {
    receiver = await openReceiver();
    Object.assign(environment, callbackEnvironment(receiver.port));
  });
  after(() => receiver.close());
  const intake = useIntake(redis, environment);

  it('shows it pending, by its origin alone, and delivered once the request has ended', async () => {
    const callbackUrl = receiver.url('/path-s3cret?sig=s3cret');
    const response = await intake.post('/v1/investigations', item(1, { callbackUrl }));
    assert.equal(response.status, 202, response.text);
    const { id, callback } = response.body as { id: string; callback: object };
    assert.deepEqual(callback, { url: receiver.url(''), state: 'pending', attempts: 0 });
    assert.ok(!response.text.includes('s3cret'));

    await makeCall(intake, machineId(1), {
      status: 'started',
      result: { kind: 'investigation', id: '5146' },
      attempts: 1,
    });
    const { body, path } = await receiver.next();
    assert.equal(path, '/path-s3cret?sig=s3cret');
    const event = JSON.parse(body) as { type: string; data: { id: string; investigationId: string } };
    assert.deepEqual(
      [event.type, event.data.id, event.data.investigationId],
      ['request.started', id, '5146'],
    );
    await waitFor(
      async () => {
        const read = (await intake.get(`/v1/investigations/${id}`)).body as { callback: { state: string } };
        return read.callback.state === 'delivered';
      },
      { what: 'the delivery in the document' },
    );
    assert.ok(!JSON.stringify(intake.log).includes('s3cret'));
    const { text } = await intake.anonymously().get('/metrics');
    assert.match(text, /diq_callbacks_total\{outcome="delivered"\} 1/);
    assert.match(text, /diq_callbacks_pending \d/);
  });
});

describe('POST /v1/investigations repeated after its first answer was lost on the way into Redis', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis);

  it('gives the present state of the request, not that of a new one', async () => {
    const key = randomUUID();
    const first = await postOnce(intake, '/v1/investigations', item(1), key).expect(202);
    const [record = ''] = await redis.client.keys('*:idempotency:*');
    assert.equal(await redis.client.hdel(record, 'answer'), 1);
    await makeCall(intake, machineId(1), {
      status: 'started',
      result: { kind: 'investigation', id: '5146' },
      attempts: 1,
    });
    const repeat = await postOnce(intake, '/v1/investigations', item(1), key).expect(202);
    const { id, status, investigationId } = repeat.body as Record<string, string>;
    assert.deepEqual([id, status, investigationId], [(first.body as { id: string }).id, 'started', '5146']);
  });
});

describe('POST /v1/investigations with an Idempotency-Key', () => {
  const intake = useIntake(useEmbeddedRedis());
  itReplays(intake, '/v1/investigations', (number: number) => item(number));
});

describe('POST /v1/investigations for a machine that others asked for', () => {
  const intake = useIntake(useEmbeddedRedis());
  const post = async (body: object) =>
    requestDocument.parse((await intake.post('/v1/investigations', body).expect(202)).body);
  const read = async (id: string) =>
    requestDocument.parse((await intake.get(`/v1/investigations/${id}`).expect(200)).body);

  it('takes what waits along to the place of a more urgent one', async () => {
    const waiting = await post(item(1, { priority: 'low' }));
    await post(item(2, { priority: 'high' }));
    assert.equal((await read(waiting.id)).position, 2);
    const urgent = await post(item(1, { priority: 'critical' }));
    assert.deepEqual([urgent.coalescedWith, urgent.position], [waiting.id, 1]);
    assert.equal((await read(waiting.id)).position, 1);
  });

  it('answers with an investigation that was started within the last hour, but not by force', async () => {
    const first = await post(item(3));
    await makeCall(intake, machineId(3), {
      status: 'started',
      result: { kind: 'investigation', id: '5146' },
      attempts: 1,
    });
    const { status, investigationId, coalescedWith, position } = await post(item(3));
    assert.deepEqual(
      [status, investigationId, coalescedWith, position],
      ['started', '5146', first.id, undefined],
    );
    const forced = await post(item(3, { force: true }));
    assert.deepEqual([forced.status, forced.coalescedWith], ['queued', undefined]);
  });
});

describe('POST /v1/investigations with an acceptable item', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('answers with the request document and the two places where it can be followed', async () => {
    const asked = item(1, {
      priority: 'critical',
      notAfter: '2099-01-01T02:00:00+02:00',
      source: 'xsoar',
      correlation: { incident: 'INC-7', playbook: 'isolate' },
    });
    const response = await intake.post('/v1/investigations', asked).expect(202);
    const document = requestDocument.parse(response.body);
    const { id, createdAt, expectedStartAt, ...rest } = document;
    assert.deepEqual(rest, {
      operation: 'initiateInvestigation',
      ...asked,
      notAfter: '2099-01-01T00:00:00.000Z',
      status: 'queued',
      position: 1,
      attempts: 0,
    });
    assert.ok(Math.abs(Date.parse(createdAt) - Date.now()) < 60_000);
    assert.ok(expectedStartAt);
    assert.equal(response.headers['location'], `/v1/investigations/${id}/result`);
    assert.equal(response.headers['operation-location'], `/v1/investigations/${id}`);
    assert.equal(response.headers['retry-after'], '5');
  });

  it('takes a second request for a machine that waits as a success, joined to the first', async () => {
    const first = requestDocument.parse((await intake.post('/v1/investigations', item(2)).expect(202)).body);
    const second = requestDocument.parse((await intake.post('/v1/investigations', item(2)).expect(202)).body);
    assert.equal(second.coalescedWith, first.id);
    assert.notEqual(second.id, first.id);
    assert.equal(second.position, first.position);
  });

  it('tells a request that joined a call under way that it is dispatching', async () => {
    await intake.post('/v1/investigations', item(3)).expect(202);
    await beginCall(intake, machineId(3));
    const response = await intake.post('/v1/investigations', item(3)).expect(202);
    const document = requestDocument.parse(response.body);
    assert.equal(document.status, 'dispatching');
    assert.equal(document.position, undefined);
    assert.equal(response.headers['retry-after'], '5');
  });

  it('logs it in one line at info, which tells the request by its id', async () => {
    const { id } = (await intake.post('/v1/investigations', item(4)).expect(202)).body as { id: string };
    const lines = intake.log.filter((line) => line['requestId'] === id);
    assert.deepEqual(
      lines.map((line) => [line['level'], line['msg'], line['machineId']]),
      [['info', 'request accepted', machineId(4)]],
    );
  });
});

async function refusalOf(intake: IntakeUnderTest, callbackUrl: unknown): Promise<string> {
  const problem = expectProblem(
    await intake.post('/v1/investigations', item(1, { callbackUrl })),
    'invalid_request',
  );
  assert.deepEqual(
    problem.errors?.map(({ path }) => path),
    ['callbackUrl'],
  );
  return problem.errors?.[0]?.message ?? '';
}

describe('POST /v1/investigations with a callback that may not be made', () => {
  const redis = useEmbeddedRedis();

  describe('where callbacks are not set up', () => {
    const intake = useIntake(redis);

    it('is refused, whatever the URL', async () => {
      assert.match(await refusalOf(intake, 'https://soar.example/hook'), /not set up/);
    });
  });

  describe('where they are', () => {
    const intake = useIntake(redis, callbackEnvironment());

    for (const [url, expected] of [
      ['https://other.example/hook', /allowed here/],
      ['https://user:pass@soar.example/hook', /user name or password/],
      ['not a URL', /absolute https URL/],
      [`https://soar.example/${'x'.repeat(2_100)}`, /2048 characters/],
      [7, /string/],
    ] as const) {
      it(`is refused, naming the field: ${String(url).slice(0, 40)}`, async () => {
        assert.match(await refusalOf(intake, url), expected);
      });
    }
  });
});

describe('POST /v1/investigations with an Idempotency-Key that is none', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesUnusableKeys(intake, '/v1/investigations', item(1));
});

describe('POST /v1/investigations with an unacceptable item', () => {
  const intake = useIntake(useEmbeddedRedis());

  const bodies: [string, object, string][] = [
    ['a host name for a machine id', item(1, { machineId: 'ws-042.corp.example' }), 'machineId'],
    ['a missing comment', { machineId: item(1).machineId }, 'comment'],
    ['an empty comment', item(1, { comment: ' ' }), 'comment'],
    ['a comment that is too long', item(1, { comment: 'x'.repeat(4_001) }), 'comment'],
    ['an unknown priority', item(1, { priority: 'urgent' }), 'priority'],
    ['a deadline in the past', item(1, { notAfter: '2020-01-01T00:00:00Z' }), 'notAfter'],
    ['a deadline without a zone', item(1, { notAfter: '2099-01-01T00:00:00' }), 'notAfter'],
    ['an unknown field', item(1, { notafter: '2099-01-01T00:00:00Z' }), 'notafter'],
    [
      'a field named __proto__',
      JSON.parse('{"__proto__": {}, "machineId": "0", "comment": "x"}') as object,
      'machineId',
    ],
  ];
  for (const [name, body, path] of bodies) {
    it(`refuses ${name} and names the field`, async () => {
      const problem = expectProblem(await intake.post('/v1/investigations', body), 'invalid_request');
      assert.equal(problem.errors?.[0]?.path, path);
      assert.match(problem.detail ?? '', new RegExp(`^${path}\\b`));
    });
  }

  it('names every fault at once', async () => {
    const response = await intake.post('/v1/investigations', { machineId: 1, priority: 'x', foo: 1 });
    const { errors = [] } = expectProblem(response, 'invalid_request');
    assert.deepEqual(
      errors.map(({ path }) => path),
      ['machineId', 'comment', 'priority', 'foo'],
    );
  });

  it('refuses malformed JSON', async () => {
    expectProblem(await intake.postRaw('/v1/investigations', '{machineId: 1}'), 'malformed_json');
  });

  it('refuses what is not UTF-8 and says so, also compressed', async () => {
    const latin = Buffer.from(JSON.stringify(item(1, { comment: 'Gerät' })), 'latin1');
    for (const [bytes, headers] of [
      [latin, {}],
      [gzipSync(latin), { 'Content-Encoding': 'gzip' }],
    ] as const) {
      const response = await intake.postRaw('/v1/investigations', bytes, headers);
      assert.match(expectProblem(response, 'malformed_json').detail ?? '', /not UTF-8/);
    }
  });

  it('refuses a field that is given twice and names it', async () => {
    const doubled = JSON.stringify(item(1)).replace('{', String.raw`{"machine\u0049d":"x",`);
    const problem = expectProblem(await intake.postRaw('/v1/investigations', doubled), 'invalid_request');
    assert.deepEqual(problem.errors, [{ path: 'machineId', message: 'is given more than once' }]);
  });
});

describe('POST /v1/investigations with too large a body', () => {
  const intake = useIntake(useEmbeddedRedis());
  const acceptable = JSON.stringify(item(1));

  it('takes a body of the very limit and refuses one byte more, telling the limit', async () => {
    await intake.postRaw('/v1/investigations', acceptable.padEnd(singleBodyLimitBytes)).expect(202);
    const response = await intake.postRaw('/v1/investigations', acceptable.padEnd(singleBodyLimitBytes + 1));
    const problem = expectProblem(response, 'body_too_large');
    assert.match(problem.detail ?? '', new RegExp(String(singleBodyLimitBytes)));
  });

  it('takes every item that is valid, however it is written', async () => {
    const alarm = '🚨';
    const full = item(1, {
      comment: alarm.repeat(4_000),
      source: alarm.repeat(128),
      correlation: Object.fromEntries(
        Array.from({ length: 20 }, (_, i) => [`${alarm.repeat(62)}${10 + i}`, alarm.repeat(256)]),
      ),
      notAfter: '2099-12-31T23:59:59.999999999+14:00',
      callbackUrl: `https://receiver.example/${alarm.repeat(2_048 - 25)}`,
      priority: 'critical',
      strict: false,
      force: false,
    });
    const bytes = Buffer.byteLength(asciiOnly(full));
    assert.ok(bytes <= singleBodyLimitBytes, `${bytes} bytes`);
    const { callbackUrl: _, ...withoutCallback } = full as typeof full & { callbackUrl?: string };
    const body = asciiOnly(withoutCallback).padEnd(bytes);
    const { body: accepted } = await intake.postRaw('/v1/investigations', body).expect(202);
    assert.equal(accepted.comment, alarm.repeat(4_000));
  });

  it('counts the bytes after decompression', async () => {
    const bomb = gzipSync(acceptable.padEnd(singleBodyLimitBytes + 1));
    const response = await intake.postRaw('/v1/investigations', bomb, { 'Content-Encoding': 'gzip' });
    expectProblem(response, 'body_too_large');
  });
});

/** Each character as escapes. */
function asciiOnly(value: object): string {
  const escaped = (text: string) =>
    text
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join('');
  return JSON.stringify(value).replaceAll(/(?<=")[^":,{}[\]]+(?=")/g, escaped);
}

describe('POST /v1/investigations with something other than JSON', () => {
  const intake = useIntake(useEmbeddedRedis());
  const acceptable = JSON.stringify(item(1));

  for (const contentType of ['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'json']) {
    it(`refuses ${contentType}`, async () => {
      const response = await intake.postRaw('/v1/investigations', acceptable, {
        'Content-Type': contentType,
      });
      expectProblem(response, 'unsupported_media_type');
    });
  }

  for (const charset of ['iso-8859-1', 'utf-7', 'utf-16', 'utf-16le', 'UTF-32', 'us-ascii', 'utf-8x']) {
    it(`refuses the charset ${JSON.stringify(charset)} and says which one is read`, async () => {
      const headers = { 'Content-Type': `application/json; charset=${charset}` };
      const response = await intake.postRaw('/v1/investigations', acceptable, headers);
      assert.match(expectProblem(response, 'unsupported_media_type').detail ?? '', /charset .* UTF-8/);
    });
  }

  it('refuses an encoding that it cannot read', async () => {
    const response = await intake.postRaw('/v1/investigations', acceptable, {
      'Content-Encoding': 'compress',
    });
    expectProblem(response, 'unsupported_media_type');
  });

  for (const parameter of [
    'charset=utf-8',
    'charset=UTF-8',
    'charset=utf8',
    'Charset="UTF8"',
    'charset="utf-8"; x=y',
  ]) {
    it(`takes JSON with ${parameter}`, async () => {
      const headers = { 'Content-Type': `application/json;${parameter}` };
      await intake.postRaw('/v1/investigations', acceptable, headers).expect(202);
    });
  }

  it('takes JSON that is compressed', async () => {
    await intake
      .postRaw('/v1/investigations', gzipSync(acceptable), { 'Content-Encoding': 'gzip' })
      .expect(202);
  });
});

describe('POST /v1/investigations with a deadline that cannot be met', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '1' });
  const soon = () => new Date(Date.now() + 60_000).toISOString();
  before(() => intake.post('/v1/investigations', item(1)).expect(202));

  it('refuses a strict one, says when it would start, and records nothing', async () => {
    const response = await intake.post('/v1/investigations', item(2, { notAfter: soon(), strict: true }));
    const { detail, errors } = expectProblem(response, 'deadline_unreachable');
    assert.match(detail ?? '', /would start at \d{4}-/);
    assert.equal(errors?.[0]?.path, 'notAfter');
    assert.equal(await intake.tasks.countWaiting(), 1);
  });

  it('accepts any other with a warning, which is not kept', async () => {
    const notAfter = soon();
    const response = await intake.post('/v1/investigations', item(3, { notAfter })).expect(202);
    const { id, warning, position, expectedStartAt } = requestDocument.parse(response.body);
    assert.equal(position, 2);
    assert.equal(warning?.code, 'deadline_unlikely');
    assert.ok(warning.message.includes(notAfter) && warning.message.includes(warning.expectedStartAt));
    assert.ok(Math.abs(Date.parse(warning.expectedStartAt) - Date.parse(expectedStartAt ?? '')) < 5_000);
    const stored = requestDocument.parse((await intake.get(`/v1/investigations/${id}`)).body);
    assert.equal(stored.warning, undefined);
  });

  it('accepts a strict one that is urgent enough to be in time', async () => {
    const urgent = item(4, { notAfter: soon(), strict: true, priority: 'critical' });
    const response = await intake.post('/v1/investigations', urgent).expect(202);
    assert.equal(requestDocument.parse(response.body).warning, undefined);
  });
});

describe('POST /v1/investigations repeated with a deadline that cannot be met any more', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis, { DEFENDER_CALLS_PER_WINDOW: '1' });

  it('does not refuse a strict one that an attempt recorded whose answer was lost', async () => {
    const strict = item(1, { notAfter: new Date(Date.now() + 60_000).toISOString(), strict: true });
    const key = randomUUID();
    const first = await postOnce(intake, '/v1/investigations', strict, key).expect(202);
    const [record = ''] = await redis.client.keys('*idempotency:*');
    assert.equal(await redis.client.hdel(record, 'answer'), 1);
    await intake.post('/v1/investigations', item(2, { priority: 'critical' })).expect(202);

    const other = { ...strict, machineId: machineId(3) };
    expectProblem(await intake.post('/v1/investigations', other), 'deadline_unreachable');
    const repeated = await postOnce(intake, '/v1/investigations', strict, key).expect(202);
    assert.equal(requestDocument.parse(repeated.body).id, requestDocument.parse(first.body).id);
    assert.equal(await intake.tasks.countWaiting(), 2);
  });
});

describe('POST /v1/investigations with an Idempotency-Key of another request', () => {
  const intake = useIntake(useEmbeddedRedis());
  itRefusesReusedKeys(intake, '/v1/investigations', (number: number) => item(number));
});

describe('POST /v1/investigations for a machine that too many wait for', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('is refused, since one call cannot tell its outcome to any number', async function () {
    this.timeout(20_000);
    const requests = Array.from({ length: 5_001 }, () => item(1));
    await intake.post('/v1/batches', { requests }).expect(202);
    const response = await intake.post('/v1/investigations', item(1));
    expectProblem(response, 'too_many_joined');
  });
});
