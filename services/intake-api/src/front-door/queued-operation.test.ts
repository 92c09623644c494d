import assert from 'node:assert/strict';
import request from 'supertest';
import { createReadExchange, type ReadAnswer } from '@diq/queue/questions/read-exchange.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { keys } from '../test-support/credentials.ts';
import {
  doorSettings,
  doorTenantId,
  expectDefenderError,
  fetchToken,
  tokenForm,
} from '../test-support/front-door.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { useIssuer } from '../test-support/issuer-under-test.ts';
import { machineId, redisAway, unknownId } from '../test-support/items.ts';
import { beginCall, endCall } from '../test-support/worker-moves.ts';

interface Shown {
  [field: string]: unknown;
  id: string;
  '@odata.context': string;
}

const isolation = { Comment: 'isolate', IsolationType: 'Full' };

describe('the front door without Redis', () => {
  const issuer = useIssuer();
  const intake = useIntake(
    redisAway,
    {
      ...doorSettings,
      AZURE_TENANT_ID: issuer.tenantId,
      FRONT_DOOR_CLIENTS: `${issuer.tenantId}/${issuer.applicationId}`,
      get INTAKE_ENTRA_AUTHORITY_HOST() {
        return issuer.origin;
      },
    },
    { entra: { fetch: (...asked) => issuer.fetch(...asked) } },
  );

  it('says that it is away, as Defender and Entra ID do, and when to ask again', async () => {
    const form = tokenForm('soar', keys.playbook);
    const refused = await request(intake.url).post('/defender/default/oauth2/token').type('form').send(form);
    assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '5']);
    assert.deepEqual((refused.body as { error_codes: number[] }).error_codes, [90_033]);
    const iss = `https://sts.windows.net/${issuer.tenantId}/`;
    const claims = { iss, aud: 'https://api.security.microsoft.com', roles: ['Alert.ReadWrite.All'] };
    const answer = await request(intake.url)
      .post(`/defender/api/machines/${machineId(1)}/startInvestigation`)
      .set('Authorization', `Bearer ${await issuer.token({ claims })}`)
      .send({ Comment: 'x' });
    expectDefenderError(answer, 503, 'ServiceUnavailable');
    assert.equal(answer.headers['retry-after'], '5');
  });
});

describe('a queued operation at the front door', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis, doorSettings);
  let token: string;
  let others: string;
  before(async () => {
    token = await fetchToken(intake, 'soar', keys.playbook);
    others = await fetchToken(intake, 'other', keys.operator);
  });

  const send = (path: string, body: object = { Comment: 'INC-1' }, bearer = token) =>
    request(intake.url).post(`/defender${path}`).set('Authorization', `Bearer ${bearer}`).send(body);
  const get = (path: string, bearer = token) =>
    request(intake.url).get(`/defender${path}`).set('Authorization', `Bearer ${bearer}`);
  const start = async (machine: string, bearer = token): Promise<Shown> =>
    (await send(`/api/machines/${machine}/startInvestigation`, undefined, bearer).expect(201)).body as Shown;
  const pollInvestigation = async (id: string) =>
    (await get(`/api/investigations/${id}`).expect(200)).body as Shown;
  const cancel = (id: string) =>
    intake.anonymously().delete(`/v1/requests/${id}`).set('X-API-Key', keys.playbook).expect(200);

  it('is answered with an Investigation that is Queued, and recorded as any other request', async () => {
    const shown = await start(machineId(1));
    const { id, '@odata.context': context, statusDetails, ...rest } = shown;
    assert.deepEqual(rest, {
      startTime: null,
      endTime: null,
      state: 'Queued',
      cancelledBy: null,
      machineId: machineId(1),
      computerDnsName: null,
      triggeringAlertId: id,
      defenderId: null,
    });
    assert.match(context, /^http:\/\/127\.0\.0\.1:\d+\/defender\/api\/\$metadata#Investigations\/\$entity$/);
    assert.match(String(statusDetails), /^queued; expected 20/);
    const { body } = await intake.get(`/v1/requests/${id}`).expect(200);
    const { operation, comment, status } = body as Record<string, string>;
    assert.deepEqual([operation, comment, status], ['startInvestigation', 'INC-1', 'queued']);
  });

  it('keeps its id to the real end', async () => {
    const { id } = await start(machineId(2));
    const call = await beginCall(intake, machineId(2));
    assert.equal((await pollInvestigation(id))['state'], 'Queued');
    await endCall(intake, call, {
      status: 'started',
      result: { kind: 'investigation', id: '63004' },
      attempts: 1,
    });
    const shown = await pollInvestigation(id);
    assert.deepEqual(
      [shown.id, shown['state'], shown['defenderId'], shown['triggeringAlertId']],
      [id, 'Running', '63004', id],
    );
    assert.match(String(shown['statusDetails']), /63004/);
  });

  it('ends as Failed with Defender’s reason', async () => {
    const { id } = await start(machineId(3));
    const error = { code: 'defender_refused', message: 'Defender: OsPlatformNotSupported' } as const;
    await endCall(intake, await beginCall(intake, machineId(3)), { status: 'failed', error, attempts: 1 });
    const shown = await pollInvestigation(id);
    assert.equal(shown['state'], 'Failed');
    assert.ok(shown['endTime']);
    assert.match(String(shown['statusDetails']), /OsPlatformNotSupported/);
  });

  it('gives a repeat the same id, each caller its own, and a new one after it was taken back', async () => {
    const first = await start(machineId(4));
    assert.equal((await start(machineId(4))).id, first.id);
    const other = await start(machineId(4), others);
    assert.notEqual(other.id, first.id);
    assert.equal((await start(machineId(4), others)).id, other.id);
    await cancel(first.id);
    assert.equal((await pollInvestigation(first.id))['state'], 'TerminatedByUser');
    assert.equal((await pollInvestigation(other.id))['state'], 'Queued');
    const ids = new Set([first.id]);
    // Shared at first with what the same caller asked for before, then with the other caller's request alone.
    for (let i = 2; i <= 5; i += 1) {
      const { id } = await start(machineId(4));
      assert.equal((await start(machineId(4))).id, id);
      await cancel(id);
      assert.equal(ids.add(id).size, i);
    }
  });

  it('answers InitiateInvestigation with 200 and a number of its own range that leads to the request', async () => {
    const path = `/api/machines/${machineId(5)}/InitiateInvestigation`;
    const { body } = await send(path).expect(200);
    const { '@odata.context': context, value } = body as { '@odata.context': string; value: number };
    assert.match(context, /#Edm\.Int64$/);
    assert.ok(Number.isSafeInteger(value) && value >= 2 ** 52);
    assert.equal(((await send(path).expect(200)).body as { value: number }).value, value);
    const shown = await pollInvestigation(String(value));
    assert.deepEqual([shown.id, shown['state'], shown['machineId']], [String(value), 'Queued', machineId(5)]);
    expectDefenderError(await get(`/api/investigations/${value - 1}`), 404, 'ResourceNotFound');
  });

  it('takes both prefixes and verbs in any case', async () => {
    const { id } = await start(machineId(6));
    for (const path of ['/API/Machines', '/api/v1.0/machines', '/api/V1.0/MACHINES']) {
      const { body } = await send(`${path}/${machineId(6)}/StartInvestigation`).expect(201);
      assert.equal((body as Shown).id, id);
    }
  });

  it('takes names of machines and ids of devices, as TheHive sends them', async () => {
    const named = await start('wks-7.contoso.example');
    assert.deepEqual([named['machineId'], named['computerDnsName']], [null, 'wks-7.contoso.example']);
    const device = '7d1c9d8e-58f4-4a6e-9a0e-6d3f0a4b1c2d';
    await start(device);
    const { body } = await intake.get('/v1/requests?limit=1').expect(200);
    assert.equal((body as { value: { aadDeviceId: string }[] }).value[0]?.aadDeviceId, device);
  });

  it('is a MachineAction that is Pending, found alone and by a filter, and can be cancelled before its call', async () => {
    const scan = { Comment: 'scan', ScanType: 'Full' };
    const one = (await send(`/api/machines/${machineId(8)}/runAntiVirusScan`, scan).expect(201))
      .body as Shown;
    const two = (await send(`/api/machines/${machineId(8)}/isolate`, isolation).expect(201)).body as Shown;
    assert.deepEqual(
      [one['type'], one['status'], one['scope'], one['requestorComment']],
      ['RunAntiVirusScan', 'Pending', 'Full', 'scan'],
    );
    const alone = (await get(`/api/machineactions/${two.id}`).expect(200)).body as Shown;
    assert.deepEqual([alone.id, alone['type'], alone['status']], [two.id, 'Isolate', 'Pending']);
    const filter = encodeURIComponent(`id in ('${one.id}','${two.id}')`);
    const many = (await get(`/api/machineactions?$count=true&$top=1000&$filter=${filter}`).expect(200))
      .body as {
      '@odata.count': number;
      value: Shown[];
    };
    assert.deepEqual([many['@odata.count'], many.value.map(({ id }) => id)], [2, [one.id, two.id]]);
    const mixed = encodeURIComponent(`id in ('${one.id}','${unknownId}')`);
    expectDefenderError(await get(`/api/machineactions?$filter=${mixed}`), 400, 'BadRequest');
    const path = `/api/machineactions/${two.id}/cancel`;
    expectDefenderError(await send(path, { Comment: 'no' }, others), 403, 'Forbidden');
    const cancelled = (await send(path, { Comment: 'no' }).expect(201)).body as Shown;
    assert.deepEqual([cancelled.id, cancelled['status']], [two.id, 'Cancelled']);
  });

  it('is cancelled with its repeats: nothing of them is called, whichever the caller knows them by', async () => {
    const scan = { Comment: 'scan', ScanType: 'Full' };
    const path = `/api/machines/${machineId(30)}/runAntiVirusScan`;
    const ask = async (bearer = token) => ((await send(path, scan, bearer).expect(201)).body as Shown).id;
    const queued = async () => {
      const { body } = await intake.get(
        `/v1/requests?operation=runAntiVirusScan&status=queued&machineId=${machineId(30)}`,
      );
      return (body as { value: { id: string }[] }).value.length;
    };
    const cancelHere = (id: string) =>
      send(`/api/machineactions/${id}/cancel`, { Comment: 'no' }).expect(201);
    const first = await ask();
    assert.deepEqual([await ask(), await ask(), await ask()], [first, first, first]);
    assert.equal(await queued(), 4);
    assert.equal(((await cancelHere(first)).body as Shown)['status'], 'Cancelled');
    assert.equal(await queued(), 0);

    // The one that was first is cancelled elsewhere: from then on another one's id is given, and stands for the rest.
    const second = await ask();
    await Promise.all([ask(), ask()]);
    await cancel(second);
    const third = await ask();
    assert.notEqual(third, second);
    const ofOthers = await ask(others);
    await cancelHere(third);
    assert.equal(await queued(), 1);
    await send(`/api/machineactions/${ofOthers}/cancel`, { Comment: 'no' }, others).expect(201);
    assert.equal(await queued(), 0);
  });

  it('has a worker ask Defender which machine a name is, where calls take turns on a machine', async () => {
    const exchange = createReadExchange(redis.client, doorTenantId);
    const isolate = async (named: string, answers: ReadAnswer) => {
      const asked = send(`/api/machines/${named}/isolate`, isolation).then((answer) => answer);
      const question = await waitFor(() => exchange.take(), { what: 'the question' });
      await exchange.answer(question, answers, 1_000);
      return { path: question.path, answer: await asked };
    };
    const read = (...ids: string[]): ReadAnswer => ({
      kind: 'read',
      body: { value: ids.map((id) => ({ id })) },
    });
    const device = '7d1c9d8e-58f4-4a6e-9a0e-6d3f0a4b1c2d';
    const { path, answer } = await isolate(device, read(machineId(20)));
    assert.equal(path, `/api/machines?$filter=aadDeviceId+eq+%27${device}%27&$top=100`);
    assert.deepEqual([answer.status, (answer.body as Shown)['machineId']], [201, machineId(20)]);
    let number = 0;
    for (const [answers, status, code] of [
      [read(), 404, 'ResourceNotFound'],
      [{ kind: 'not_found' }, 404, 'ResourceNotFound'],
      [read(machineId(21), machineId(22)), 400, 'InvalidInput'],
      [{ kind: 'unavailable', retryAfterMs: 1_500 }, 429, 'TooManyRequests'],
      [{ kind: 'refused', httpStatus: 403 }, 429, 'TooManyRequests'],
    ] as const) {
      expectDefenderError((await isolate(`elastic-test-${(number += 1)}`, answers)).answer, status, code);
    }
    // What is refused whichever machine is meant costs no read.
    const incomplete = await send('/api/machines/elastic-test-9/isolate', { Comment: 'isolate' });
    expectDefenderError(incomplete, 400, 'InvalidRequestBody');
    assert.equal(await exchange.take(), undefined);
  });

  it('reads for a token of ours through a worker, in pages that lead back here', async () => {
    const exchange = createReadExchange(redis.client, doorTenantId);
    const read = async (path: string, answers: ReadAnswer) => {
      const asked = get(path).then((answer) => answer);
      const question = await waitFor(() => exchange.take(), { what: 'the question' });
      await exchange.answer(question, answers, 1_000);
      return asked;
    };
    const link = 'https://api.securitycenter.windows.com/api/machines?$skip=100';
    const body = { value: [{ id: machineId(1) }], '@odata.nextLink': link };
    const page = await read('/api/machines', { kind: 'read', body });
    assert.deepEqual(page.body, {
      ...body,
      '@odata.nextLink': `${intake.url}/defender/api/machines?$skip=100`,
    });
    const limited = await read('/api/machineactions', { kind: 'unavailable', retryAfterMs: 2_400 });
    expectDefenderError(limited, 429, 'TooManyRequests');
    assert.equal(limited.headers['retry-after'], '3');
    expectDefenderError(await read('/api/investigations', { kind: 'too_long' }), 400, 'BadRequest');
    expectDefenderError(
      await read('/api/investigations?$top=5', { kind: 'refused', httpStatus: 403 }),
      403,
      'Forbidden',
    );
    const submitter = await fetchToken(intake, 'submitter', keys.submitter);
    expectDefenderError(await get('/api/machines', submitter), 403, 'Forbidden');
    for (const path of ['/api/alerts', '/api/machines?$expand=x', '/api/machines?$top=500'])
      expectDefenderError(await get(path), 501, 'NotImplemented');
  });

  it('refuses what Defender refuses, in its form', async () => {
    const path = `/api/machines/${machineId(9)}/startInvestigation`;
    for (const body of [
      {},
      { comment: 'lower case' },
      { Comment: '' },
      { Comment: 'x', Extra: 1 },
      { Comment: 7 },
    ])
      expectDefenderError(await send(path, body), 400, 'InvalidRequestBody');
    const isolate = `/api/machines/${machineId(9)}/isolate`;
    expectDefenderError(
      await send(isolate, { Comment: 'x', IsolationType: 'Half' }),
      400,
      'InvalidRequestBody',
    );
    expectDefenderError(await send('/api/machines/10.0.0.1/isolate', isolation), 404, 'ResourceNotFound');
    const broken = await request(intake.url)
      .post(`/defender${path}`)
      .set('Authorization', `Bearer ${token}`)
      .type('json')
      .serialize((text: unknown) => text as string)
      .send('{"Comment":');
    expectDefenderError(broken, 400, 'InvalidRequestBody');
    for (const odd of ['/api//machines', '/api/machines/../x', '/api/machines/%2e%2e/isolate', '/nothing'])
      expectDefenderError(await get(odd), 404, 'NotFound');
  });

  it('asks for the scope of its risk, and for read; strangers and other schemes get nowhere', async () => {
    const submitter = await fetchToken(intake, 'submitter', keys.submitter);
    const reader = await fetchToken(intake, 'reader', keys.reader);
    const { id } = await start(machineId(10), submitter);
    const isolate = `/api/machines/${machineId(10)}/isolate`;
    for (const [bearer, ask] of [
      [submitter, (bearer: string) => send(isolate, { Comment: 'x', IsolationType: 'Full' }, bearer)],
      [submitter, (bearer: string) => get(`/api/investigations/${id}`, bearer)],
      [
        reader,
        (bearer: string) => send(`/api/machines/${machineId(10)}/startInvestigation`, undefined, bearer),
      ],
    ] as const) {
      expectDefenderError(await ask(bearer), 403, 'Forbidden');
    }
    for (const header of [
      '',
      'Basic x',
      `Bearer ${keys.playbook}`,
      `Bearer ${token} ${token}`,
      'Bearer eyJ.a.b',
    ]) {
      const asked = request(intake.url).get(`/defender/api/investigations/${id}`);
      const answer = await (header === '' ? asked : asked.set('Authorization', header));
      expectDefenderError(answer, 401, 'Unauthorized');
    }
    expectDefenderError(
      await request(intake.url).get(`/defender/api/investigations/${id}`).set('X-API-Key', keys.playbook),
      401,
      'Unauthorized',
    );
  });
});
