import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { deflateSync } from 'node:zlib';
import request from 'supertest';
import { keySpace } from '@diq/contracts/operations.ts';
import { createReadExchange } from '@diq/queue/questions/read-exchange.ts';
import { createTaskStore } from '@diq/queue/tasks/task-store.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { keys, sha256 } from '../test-support/credentials.ts';
import { expectDefenderError, fetchToken } from '../test-support/front-door.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { useIssuer } from '../test-support/issuer-under-test.ts';
import { machineId } from '../test-support/items.ts';

interface Arrived {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

type Answer = (response: ServerResponse, asked: Arrived) => void;

/** A server in place of Defender, which keeps what arrives. */
function useUpstream() {
  const arrived: Arrived[] = [];
  let answer: Answer = (response) => void response.end('{}');
  const server = createServer((asked, response) => {
    const keep = async () => {
      const body = await text(asked);
      const one = { method: asked.method ?? '', url: asked.url ?? '', headers: asked.headers, body };
      arrived.push(one);
      answer(response, one);
    };
    void keep();
  });
  before('open the upstream', async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after('close the upstream', () => void server.close());
  return {
    arrived,
    url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers: (next: Answer) => (answer = next),
  };
}

const otherTenantId = '0d2f6a5b-7a4e-4c46-9a55-0f1d3ac0b222';

describe('what no queue stands in front of', () => {
  const dir = mkdtempSync(join(tmpdir(), 'door-tenants-'));
  const file = join(dir, 'tenants.json');
  after(() => rmSync(dir, { recursive: true }));
  const issuer = useIssuer();
  const upstream = useUpstream();
  const other = useUpstream();
  const tenant = (name: string, tenantId: string, defenderBaseUrl: string) => ({
    name,
    tenantId,
    clientId: '22222222-2222-4222-8222-222222222222',
    clientSecretFile: '/run/secret',
    defenderBaseUrl,
    operations: { startInvestigation: {}, runAntiVirusScan: {} },
  });
  before('write the file of tenants', () => {
    const tenants = [
      tenant('contoso', issuer.tenantId, `${upstream.url()}/gateway`),
      tenant('fabrikam', otherTenantId, other.url()),
    ];
    writeFileSync(file, JSON.stringify({ tenants }));
  });
  const redis = useEmbeddedRedis();
  const intake = useIntake(
    redis,
    {
      TENANTS_FILE: file,
      AZURE_TENANT_ID: '',
      FRONT_DOOR: 'on',
      FRONT_DOOR_CLIENTS: `${issuer.tenantId}/${issuer.applicationId}`,
      INTAKE_API_KEYS: [
        `contoso:submit+read:${sha256(keys.playbook)}:contoso`,
        `fabrikam:submit+read:${sha256(keys.operator)}:fabrikam`,
        `both:submit+read:${sha256(keys.elsewhere)}:*`,
      ].join(','),
      get INTAKE_ENTRA_AUTHORITY_HOST() {
        return issuer.origin;
      },
    },
    { entra: { fetch: (...asked) => issuer.fetch(...asked) } },
  );
  let token: string;
  before(async () => {
    token = await issuer.token({
      claims: {
        iss: `https://sts.windows.net/${issuer.tenantId}/`,
        aud: 'https://api.securitycenter.microsoft.com',
        roles: ['Alert.ReadWrite.All', 'Machine.Scan'],
      },
    });
  });
  beforeEach(() => {
    upstream.arrived.length = 0;
    other.arrived.length = 0;
    upstream.answers((response) => void response.end('{}'));
  });
  const ask = (method: 'get' | 'post' | 'patch' | 'delete' | 'put', path: string, bearer = token) =>
    request(intake.url)[method](`/defender${path}`).set('Authorization', `Bearer ${bearer}`);
  const own = (name: string, key: string, tenantId: string) =>
    fetchToken(intake, name, key, `/defender/${tenantId}/oauth2/v2.0/token`);

  it('reaches the Defender of the tenant as it was sent, with the caller’s own token and few headers', async () => {
    upstream.answers((response) => {
      response.writeHead(200, {
        'content-type': 'application/json; odata.metadata=minimal',
        'odata-version': '4.0',
        'set-cookie': 'a=b',
        server: 'x',
      });
      response.end('{"value":[]}');
    });
    const path = '/api/machines?$filter=computerDnsName+eq+%27wks-1%27&$top=1';
    const answer = await ask('get', path).set({
      Cookie: 'c=d',
      'X-Forwarded-For': '10.0.0.1',
      Prefer: 'odata.maxpagesize=2',
    });
    assert.deepEqual([answer.status, answer.text], [200, '{"value":[]}']);
    assert.equal(answer.headers['odata-version'], '4.0');
    assert.deepEqual([answer.headers['set-cookie'], answer.headers['server']], [undefined, undefined]);
    const [seen] = upstream.arrived;
    assert.deepEqual([seen?.method, seen?.url], ['GET', `/gateway${path}`]);
    assert.deepEqual(Object.keys(seen?.headers ?? {}).toSorted(), [
      'accept-encoding',
      'authorization',
      'connection',
      'host',
      'prefer',
      'user-agent',
    ]);
    assert.equal(seen?.headers['authorization'], `Bearer ${token}`);
    await ask(
      'get',
      "/contoso/API/v1.0/machines/findbyip(ip='10.0.0.1',timestamp=2026-11-28T00:00:00Z)",
    ).expect(200);
    assert.match(
      upstream.arrived[1]?.url ?? '',
      /^\/gateway\/API\/v1\.0\/machines\/findbyip\(ip='10\.0\.0\.1',/,
    );
    assert.equal(other.arrived.length, 0);
  });

  it('goes on without a body where its method has none, and comes back with one type', async () => {
    upstream.answers((response) => {
      response.setHeader('content-type', ['application/json', 'text/html']);
      response.end('{}');
    });
    const answer = await ask('get', '/api/alerts').send({ GET: '/api/machines' });
    assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'application/json']);
    const [seen] = upstream.arrived;
    assert.deepEqual([seen?.body, seen?.headers['content-length']], ['', undefined]);
    assert.equal(seen?.headers['content-type'], undefined);
  });

  it('streams bodies and gives errors as Defender gives them', async () => {
    upstream.answers((response) => {
      response.writeHead(429, { 'retry-after': '7', 'content-type': 'application/json' });
      response.end('{"error":{"code":"429","message":"quota","target":"t"}}');
    });
    const query = { Query: 'DeviceInfo | limit 1' };
    const answer = await ask('post', '/api/advancedqueries/run').send(query);
    assert.deepEqual([answer.status, answer.headers['retry-after']], [429, '7']);
    assert.equal((answer.body as { error: { code: string } }).error.code, '429');
    assert.deepEqual(JSON.parse(upstream.arrived[0]?.body ?? ''), query);
    await ask('patch', '/api/alerts/da1_-2').send({ status: 'Resolved' });
    assert.deepEqual(
      [upstream.arrived[1]?.method, upstream.arrived[1]?.body],
      ['PATCH', '{"status":"Resolved"}'],
    );
  });

  it('leads links to further pages through the front door, also out of packed answers', async () => {
    const link = 'https://api.securitycenter.windows.com/gateway/api/alerts?$skip=10';
    upstream.answers((response, { url }) => {
      const page = url.includes('$skip') ? { value: [2] } : { value: [1], '@odata.nextLink': link };
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'deflate' });
      response.end(deflateSync(JSON.stringify(page)));
    });
    for (const door of ['', '/contoso']) {
      const { body } = await ask('get', `${door}/api/alerts`).expect(200);
      const next = (body as Record<string, string>)['@odata.nextLink'] ?? '';
      assert.equal(next, `${intake.url}/defender${door}/api/alerts?$skip=10`);
      const second = await ask('get', next.slice(`${intake.url}/defender`.length)).expect(200);
      assert.deepEqual(second.body, { value: [2] });
    }
  });

  it('follows no redirect, and says when Defender is away', async () => {
    upstream.answers((response) => void response.writeHead(302, { location: other.url() }).end());
    const redirected = await ask('get', '/api/alerts');
    expectDefenderError(redirected, 502, 'BadGateway');
    assert.equal(redirected.headers['location'], undefined);
    assert.equal(other.arrived.length, 0);
    upstream.answers((response) => void response.destroy());
    expectDefenderError(await ask('get', '/api/alerts'), 502, 'BadGateway');
    assert.ok(!JSON.stringify(intake.log).includes(token.split('.')[2] ?? token));
  });

  it('breaks off where an answer of Defender breaks off', async () => {
    upstream.answers((response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{"value":');
      setImmediate(() => response.destroy());
    });
    await assert.rejects(async () => await ask('get', '/api/alerts'));
  });

  const foreign: readonly ['get' | 'post' | 'put' | 'delete', string][] = [
    ['get', '/api/settings'],
    ['get', '/api/machines/a/b/c/d/e/f'],
    ['put', '/api/alerts/1'],
    ['delete', '/api/machines/1'],
    ['post', '/api/dataexportsettings'],
    ['post', '/api/machines/1/$batch'],
    ['post', '/api/$batch'],
  ];
  for (const [method, path] of foreign) {
    it(`is refused where it is not listed: ${method} ${path}`, async () => {
      expectDefenderError(await ask(method, path), 501, 'NotImplemented');
      assert.equal(upstream.arrived.length, 0);
    });
  }

  it('is refused with a body that is too large', async () => {
    const answer = await ask('post', '/api/libraryfiles').set('Content-Length', String(33 * 1_024 * 1_024));
    expectDefenderError(answer, 400, 'InvalidRequestBody');
    assert.equal(upstream.arrived.length, 0);
  });

  it('is not reached by what is queued; an operation that the tenant has not is passed on', async () => {
    await ask('post', `/api/machines/${machineId(1)}/startInvestigation`)
      .send({ Comment: 'x' })
      .expect(201);
    assert.equal(upstream.arrived.length, 0);
    await ask('post', `/api/machines/${machineId(1)}/isolate`)
      .send({ Comment: 'x', IsolationType: 'Full' })
      .expect(200);
    assert.equal(upstream.arrived[0]?.url, `/gateway/api/machines/${machineId(1)}/isolate`);
  });

  it('lets XSOAR start, follow and list as it does at Defender', async () => {
    const started = await ask('post', `/api/machines/${machineId(3)}/startInvestigation`)
      .send({ Comment: 'testing' })
      .expect(201);
    // It stops where one of the first is missing.
    const shown = started.body as Record<string, unknown>;
    for (const field of ['id', 'startTime', 'endTime', 'state', 'cancelledBy', 'statusDetails', 'machineId'])
      assert.ok(field in shown, field);
    const followed = await ask('get', `/api/investigations/${String(shown['id'])}`).expect(200);
    assert.deepEqual({ ...(followed.body as object), statusDetails: '' }, { ...shown, statusDetails: '' });
    assert.equal(upstream.arrived.length, 0);
    upstream.answers((response, { url }) => {
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify(url.includes('?') ? { value: [{ id: '10' }] } : { id: '10', status: 'Pending' }),
      );
    });
    const listed = await ask('get', '/api/investigations?$top=50').expect(200);
    assert.deepEqual(listed.body, { value: [{ id: '10' }] });
    const action = await ask('get', '/api/machineactions/55680be3-162c-49d1-a4d6-37f9dc47e9d8').expect(200);
    assert.deepEqual(action.body, { id: '10', status: 'Pending' });
  });

  it('cancels at Defender what has begun there, under Defender’s own id', async () => {
    const scan = await ask('post', `/api/machines/${machineId(4)}/runAntiVirusScan`)
      .send({ Comment: 'x', ScanType: 'Quick' })
      .expect(201);
    const { id } = scan.body as { id: string };
    const space = keySpace({ tenantId: issuer.tenantId, operation: 'runAntiVirusScan' });
    const tasks = createTaskStore(redis.client, space, 60_000);
    const [taskId = ''] = await tasks.waitingPage(0, 1);
    const defenderId = '55680be3-162c-49d1-a4d6-37f9dc47e9d8';
    await tasks.begin(taskId, 'call-1');
    const result = { kind: 'machineAction', id: defenderId } as const;
    await tasks.settle(taskId, 'call-1', { status: 'started', result, attempts: 1 });
    await ask('post', `/api/machineactions/${id}/cancel`).send({ Comment: 'no' }).expect(200);
    const [seen] = upstream.arrived;
    assert.deepEqual(
      [seen?.method, seen?.url, seen?.body],
      ['POST', `/gateway/api/machineactions/${defenderId}/cancel`, '{"Comment":"no"}'],
    );
    const ours = await own('contoso', keys.playbook, issuer.tenantId);
    expectDefenderError(
      await ask('post', `/api/machineactions/${id}/cancel`, ours).send({}),
      403,
      'Forbidden',
    );
  });

  it('is not reached with a token of ours, nor of another tenant', async () => {
    const ours = await own('contoso', keys.playbook, issuer.tenantId);
    expectDefenderError(
      await ask('post', '/api/advancedqueries/run', ours).send({ Query: 'x' }),
      501,
      'NotImplemented',
    );
    expectDefenderError(await ask('get', '/fabrikam/api/alerts'), 404, 'ResourceNotFound');
    expectDefenderError(await ask('get', '/nowhere/api/alerts'), 404, 'ResourceNotFound');
    assert.equal(upstream.arrived.length + other.arrived.length, 0);
  });

  it('keeps ids within their tenant: another one’s is passed on, or not answered', async () => {
    const [mine, theirs] = [
      await own('both', keys.elsewhere, issuer.tenantId),
      await own('both', keys.elsewhere, otherTenantId),
    ];
    const start = async (bearer: string, number: number) => {
      const answer = await ask('post', `/api/machines/${machineId(number)}/startInvestigation`, bearer)
        .send({ Comment: 'x' })
        .expect(201);
      return (answer.body as { id: string }).id;
    };
    const id = await start(theirs, 2);
    await ask('get', `/api/investigations/${id}`, theirs).expect(200);
    // Of the same key: what a token was given for is the wall.
    const asked = ask('get', `/api/investigations/${id}`, mine).then((answer) => answer);
    const exchange = createReadExchange(redis.client, issuer.tenantId);
    const question = await waitFor(() => exchange.take(), { what: 'the question to the worker' });
    assert.deepEqual(question, { path: `/api/investigations/${id}` });
    await exchange.answer(question, { kind: 'not_found' }, 1_000);
    expectDefenderError(await asked, 404, 'ResourceNotFound');
    await ask('get', `/api/investigations/${id}`).expect(200);
    assert.equal(upstream.arrived[0]?.url, `/gateway/api/investigations/${id}`);
    const nowhere = await request(intake.url)
      .post(`/defender/${otherTenantId}/oauth2/token`)
      .type('form')
      .send({ grant_type: 'client_credentials', client_id: 'contoso', client_secret: keys.playbook });
    assert.equal(nowhere.status, 400);
  });
});
