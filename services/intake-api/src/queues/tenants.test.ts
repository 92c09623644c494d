import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { definitions } from '../routes/index.ts';
import { ofTenant } from '../http/define-route.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, unknownId } from '../test-support/items.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const keyOf = (name: string, tenants: string) => `${name}:submit+read+admin:${sha256(name)}:${tenants}`;
const entry = (name: string, digit: string) => ({
  name,
  tenantId: `${digit.repeat(8)}-1111-4111-8111-${String(Date.now()).slice(-12).padStart(12, '0')}`,
  clientId: '22222222-2222-4222-8222-222222222222',
  clientSecretFile: '/run/secret',
  operations: { initiateInvestigation: {}, startInvestigation: {} },
});

describe('tenants', () => {
  const dir = mkdtempSync(join(tmpdir(), 'intake-tenants-'));
  const file = join(dir, 'tenants.json');
  const [contoso, fabrikam, third] = [entry('contoso', 'a'), entry('fabrikam', 'b'), entry('third', 'c')];
  const write = (...tenants: object[]) => {
    writeFileSync(`${file}.new`, JSON.stringify({ tenants }));
    renameSync(`${file}.new`, file);
  };
  write(contoso, fabrikam);
  after(() => rmSync(dir, { recursive: true }));
  const keys = [
    keyOf('both', 'contoso+fabrikam'),
    keyOf('one', 'contoso'),
    keyOf('other', 'fabrikam'),
    keyOf('every', '*'),
    keyOf('nowhere', 'elsewhere'),
    `risky:submit+respond+read:${sha256('risky')}:contoso`,
  ];
  const intake = useIntake(useEmbeddedRedis(), {
    TENANTS_FILE: file,
    INTAKE_API_KEYS: keys.join(','),
    AZURE_TENANT_ID: '',
  });

  const ask = (key: string, method: 'get' | 'post' | 'patch' | 'delete', path: string, body?: object) => {
    const asked = intake.anonymously()[method](path).set('X-API-Key', key);
    return body === undefined ? asked : asked.send(body);
  };
  let number = 0;
  async function submit(key: string, path = '/v1/investigations', more: object = {}): Promise<string> {
    const { body } = await ask(key, 'post', path, { ...item(++number), ...more }).expect(202);
    return (body as { id: string }).id;
  }

  it('are named by the path, or are the only one that a key reaches', async () => {
    await submit('one');
    await submit('one', '/v1/tenants/contoso/investigations');
    await submit('both', '/v1/tenants/fabrikam/investigations');
    const answer = await ask('both', 'post', '/v1/investigations', item(++number));
    expectProblem(answer, 'tenant_required');
    assert.match((answer.body as { detail: string }).detail, /: contoso, fabrikam\.$/);
    expectProblem(await ask('nowhere', 'get', '/v1/quota'), 'tenant_not_found');
  });

  it('have queues of their own: what one asks is seen, counted and listed in no other', async () => {
    const quotaOf = async (tenant: string, operation = '') =>
      (await ask('every', 'get', `/v1/tenants/${tenant}/quota${operation}`).expect(200)).body as {
        operation: string;
        queue: { queued: number };
      };
    const before = await quotaOf('fabrikam');
    const id = await submit('one');
    assert.equal((await quotaOf('fabrikam')).queue.queued, before.queue.queued);
    const listed = await ask('every', 'get', '/v1/tenants/fabrikam/investigations?limit=500').expect(200);
    assert.ok(!(listed.body as { value: { id: string }[] }).value.some((one) => one.id === id));
    const other = await quotaOf('contoso', '?operation=startInvestigation');
    assert.deepEqual([other.operation, other.queue.queued], ['startInvestigation', 0]);
  });

  it('are led to by an id, also of another operation than the default one, whatever the path', async () => {
    const id = await submit('both', '/v1/tenants/fabrikam/investigations', {
      operation: 'startInvestigation',
    });
    for (const key of ['both', 'other', 'every'])
      await ask(key, 'get', `/v1/investigations/${id}`).expect(200);
    await ask('both', 'get', `/v1/tenants/fabrikam/investigations/${id}`).expect(200);
    // A path that names another tenant names nothing there.
    expectProblem(await ask('both', 'get', `/v1/tenants/contoso/investigations/${id}`), 'request_not_found');
  });

  it('take a batch for one operation, and give pages whose links stay with tenant and operation', async () => {
    const requests = [item(++number), item(++number), item(++number)];
    const { body } = await ask('both', 'post', '/v1/tenants/contoso/batches', {
      operation: 'startInvestigation',
      requests,
    }).expect(202);
    const { id } = body as { id: string };
    await ask('both', 'get', `/v1/batches/${id}`).expect(200);
    const path = '/v1/tenants/contoso/investigations?operation=startInvestigation&limit=2';
    const page = (await ask('both', 'get', path).expect(200)).body as { value: object[]; nextLink: string };
    assert.equal(page.value.length, 2);
    assert.match(page.nextLink, /^\/v1\/tenants\/contoso\/investigations\?operation=startInvestigation&/);
    const next = (await ask('both', 'get', page.nextLink).expect(200)).body as { value: object[] };
    assert.equal(next.value.length, 1);
    const cancelled = await ask('both', 'post', '/v1/tenants/contoso/investigations/cancel', { batchId: id });
    assert.equal((cancelled.body as { cancelled: number }).cancelled, 3, 'a batch leads to its queue');
  });

  it('refuse an operation that they may not use, and name those that they may', async () => {
    for (const operation of ['offboard', 'nothing', 7, '']) {
      const answer = await ask('one', 'post', '/v1/investigations', { ...item(++number), operation });
      expectProblem(answer, 'invalid_request');
      assert.equal((answer.body as { errors: { path: string }[] }).errors[0]?.path, 'operation');
    }
    expectProblem(await ask('one', 'get', '/v1/quota?operation=x'), 'invalid_request');
  });

  describe('that a key does not reach', () => {
    it('are like none on every route: by name 404, by id the same as an unknown one', async () => {
      const id = await submit('other');
      const { body } = await ask('other', 'post', '/v1/batches', { requests: [item(++number)] }).expect(202);
      const batch = (body as { id: string }).id;
      for (const definition of definitions) {
        const named = ofTenant(definition);
        if (!named) continue;
        const { method } = definition;
        const path = definition.path.replace(':index', '0');
        const own = path.startsWith('/v1/batches') ? batch : id;
        const send = (asked: string) =>
          ask('one', method, asked, method === 'get' || method === 'delete' ? undefined : {});
        const foreign = await send(
          named.path.replace(':tenant', 'fabrikam').replace(':id', own).replace(':index', '0'),
        );
        expectProblem(foreign, 'tenant_not_found');
        const missing = await send(
          named.path.replace(':tenant', 'no-such-tenant').replace(':id', own).replace(':index', '0'),
        );
        assert.equal(withoutIds(foreign.text, own), withoutIds(missing.text, own), path);
        if (!path.includes(':id')) continue;
        const [found, unknown] = [
          await send(path.replace(':id', own)),
          await send(path.replace(':id', unknownId)),
        ];
        assert.deepEqual([found.status, found.type], [unknown.status, unknown.type], path);
        assert.equal(withoutIds(found.text, own), withoutIds(unknown.text, unknownId), path);
      }
      const still = (await ask('other', 'get', `/v1/investigations/${id}`)).body as { status: string };
      assert.equal(still.status, 'queued');
    });

    it('lose nothing by what it asks of a batch of theirs', async () => {
      const { body } = await ask('other', 'post', '/v1/batches', { requests: [item(++number)] }).expect(202);
      const { id: batchId } = body as { id: string };
      const cancelled = await ask('one', 'post', '/v1/investigations/cancel', { batchId });
      assert.equal((cancelled.body as { cancelled: number }).cancelled, 0);
      const listed = await ask('one', 'get', `/v1/investigations?batchId=${batchId}`);
      assert.deepEqual((listed.body as { value: object[] }).value, []);
    });
  });

  it('are listed with their queues as far as a key reaches, in pages', async () => {
    const { value } = (await ask('both', 'get', '/v1/tenants').expect(200)).body as { value: object[] };
    const operations = ['initiateInvestigation', 'startInvestigation'];
    const listed = (name: string) => ({
      name,
      defaultOperation: operations[0],
      operations,
      isRemoved: false,
    });
    assert.deepEqual(value, [listed('contoso'), listed('fabrikam')]);
    const queuesOf = async (key: string, query: string) => {
      const found: string[] = [];
      for (let path: string | undefined = `/v1/queues?${query}`; path;) {
        const page = (await ask(key, 'get', path).expect(200)).body as {
          value: { tenant: string; operation: string; queued: number; limits: object[] }[];
          nextLink?: string;
        };
        found.push(...page.value.map(({ tenant, operation }) => `${tenant}/${operation}`));
        path = page.nextLink;
      }
      return found;
    };
    const ofContoso = operations.map((operation) => `contoso/${operation}`);
    const ofFabrikam = operations.map((operation) => `fabrikam/${operation}`);
    assert.deepEqual(await queuesOf('both', 'limit=3'), [...ofContoso, ...ofFabrikam]);
    assert.deepEqual(await queuesOf('both', 'limit=1&tenant=fabrikam'), ofFabrikam);
    assert.deepEqual(await queuesOf('one', 'limit=9'), ofContoso);
    assert.deepEqual(await queuesOf('one', 'tenant=fabrikam'), []);
    assert.deepEqual(await queuesOf('nowhere', ''), []);
  });

  it('take what starts no investigation under /v1/requests, and say so elsewhere', async () => {
    const scan = { ...item(++number), operation: 'runAntiVirusScan', parameters: { scanType: 'Quick' } };
    write(
      { ...contoso, operations: { initiateInvestigation: {}, startInvestigation: {}, runAntiVirusScan: {} } },
      fabrikam,
    );
    const post = (path: string) => ask('risky', 'post', path, scan);
    await waitFor(async () => (await post('/v1/requests')).status === 202, { what: 'the operation' });
    for (const path of ['/v1/investigations', '/v1/tenants/contoso/investigations']) {
      const answer = await post(path);
      expectProblem(answer, 'invalid_request');
      assert.match((answer.body as { detail: string }).detail, /POST \/v1\/requests takes every operation/);
    }
    write(contoso, fabrikam);
    await waitFor(async () => (await post('/v1/requests')).status === 400, { what: 'the operation to go' });
  });

  it('take requests for any operation under /v1/requests, which are the same as those under /v1/investigations', async () => {
    const id = await submit('both', '/v1/tenants/contoso/requests', { operation: 'startInvestigation' });
    const seen = await Promise.all(
      ['/v1/requests', '/v1/investigations', '/v1/tenants/contoso/requests'].map(
        async (path) =>
          (await ask('both', 'get', `${path}/${id}`).expect(200)).body as { id: string; operation: string },
      ),
    );
    for (const { id: found, operation } of seen)
      assert.deepEqual([found, operation], [id, 'startInvestigation']);
    const page = await ask('one', 'get', '/v1/requests?operation=startInvestigation&limit=500').expect(200);
    assert.ok((page.body as { value: { id: string }[] }).value.some((one) => one.id === id));
    await ask('one', 'delete', `/v1/requests/${id}`).expect(200);
  });

  it('share no Idempotency-Key', async () => {
    const send = (tenant: string) =>
      ask('both', 'post', `/v1/tenants/${tenant}/investigations`, item(1_000)).set('Idempotency-Key', 'same');
    const [one, other] = [await send('contoso').expect(202), await send('fabrikam').expect(202)];
    assert.notEqual((one.body as { id: string }).id, (other.body as { id: string }).id);
    assert.equal((await send('contoso')).headers['idempotent-replayed'], 'true');
  });

  it('have series and log lines that name them', async () => {
    await submit('one');
    const { text } = await intake.anonymously().get('/metrics');
    for (const { name } of [contoso, fabrikam]) {
      for (const operation of ['initiateInvestigation', 'startInvestigation']) {
        assert.match(
          text,
          new RegExp(`diq_requests_open\\{tenant="${name}",operation="${operation}",status="queued"\\}`),
        );
      }
    }
    const line = intake.log.findLast(({ msg }) => msg === 'request accepted');
    assert.deepEqual([line?.['tenant'], line?.['operation']], ['contoso', 'initiateInvestigation']);
  });

  describe('that were removed while no intake ran', () => {
    const redis = useEmbeddedRedis();
    const leaving = entry('leaving', 'f');
    const old = join(dir, 'old.json');
    const later = join(dir, 'later.json');
    writeFileSync(old, JSON.stringify({ tenants: [leaving, contoso] }));
    writeFileSync(later, JSON.stringify({ tenants: [contoso] }));
    const settings = (path: string) => ({
      TENANTS_FILE: path,
      INTAKE_API_KEYS: keys.join(','),
      AZURE_TENANT_ID: '',
    });
    const before = useIntake(redis, settings(old));
    const after = useIntake(redis, settings(later));

    it('are known to an intake that starts later: what they asked can be read, and nothing new is accepted', async () => {
      const post = (at: typeof before) =>
        at
          .anonymously()
          .post('/v1/tenants/leaving/investigations')
          .set('X-API-Key', 'every')
          .send(item(++number));
      const { body } = await post(before).expect(202);
      const path = `/v1/investigations/${(body as { id: string }).id}`;
      const read = () => after.anonymously().get(path).set('X-API-Key', 'every');
      await waitFor(async () => (await read()).status === 200, { what: 'the earlier tenant to be known' });
      expectProblem(await post(after), 'tenant_removed');
    });
  });

  it('keep what was asked of an operation that they may use no more: it can be read and cancelled, and nothing new is accepted', async () => {
    const of = { operation: 'startInvestigation' };
    const id = await submit('one', '/v1/requests', of);
    const [, second] = [await submit('one'), await submit('one', '/v1/requests', of)];
    write({ ...contoso, operations: { initiateInvestigation: {} } }, fabrikam);
    const isTaken = async () =>
      (await ask('one', 'post', '/v1/requests', { ...item(++number), ...of })).status === 202;
    await waitFor(async () => !(await isTaken()), { what: 'the operation to go' });
    await ask('one', 'get', `/v1/requests/${id}`).expect(200);
    const listed = await ask('one', 'get', '/v1/requests?operation=startInvestigation').expect(200);
    assert.ok((listed.body as { value: { id: string }[] }).value.some((one) => one.id === id));
    await ask('one', 'delete', `/v1/requests/${id}`).expect(200);
    expectProblem(await ask('every', 'post', `/v1/requests/${second}/retry`, {}), 'tenant_removed');
    expectProblem(
      await ask('one', 'post', '/v1/requests/retry?operation=startInvestigation', { status: 'failed' }),
      'tenant_removed',
    );
    write(contoso, fabrikam);
    await waitFor(isTaken, { what: 'the operation to be back' });
  });

  it('have their queues go by the limits in the file as it is now', async () => {
    // That of no worker, which would have declared its own in Redis.
    const limitOf = async () => {
      const { body } = await ask('other', 'get', '/v1/queues?limit=1').expect(200);
      return (body as { value: { limits: { calls: number }[] }[] }).value[0]?.limits[0]?.calls;
    };
    assert.equal(await limitOf(), 5);
    const operations = { initiateInvestigation: { limits: [{ calls: 7, window: '1h' }] } };
    write(contoso, { ...fabrikam, operations });
    await waitFor(async () => (await limitOf()) === 7, { what: 'the other limit' });
    write(contoso, fabrikam);
    await waitFor(async () => (await limitOf()) === 5, { what: 'the first limit again' });
  });

  it('come and go with the file: what a removed one asked stays readable and can be cancelled', async () => {
    const id = await submit('other');
    write(contoso, third);
    const isKnown = async (name: string) =>
      (await ask('every', 'get', `/v1/tenants/${name}/quota`)).status === 200;
    await waitFor(() => isKnown('third'), { what: 'the new tenant' });
    await submit('every', '/v1/tenants/third/investigations');
    expectProblem(
      await ask('other', 'post', '/v1/tenants/fabrikam/investigations', item(++number)),
      'tenant_removed',
    );
    await ask('other', 'get', `/v1/investigations/${id}`).expect(200);
    expectProblem(await ask('every', 'post', `/v1/investigations/${id}/retry`, {}), 'tenant_removed');
    await ask('other', 'delete', `/v1/investigations/${id}`).expect(200);
    const seriesOf = async (name: string) =>
      (await intake.anonymously().get('/metrics').expect(200)).text
        .split('\n')
        .filter((line) => line.includes(`tenant="${name}"`));
    await waitFor(async () => (await seriesOf('fabrikam')).length === 0, { what: 'its series to go' });
    assert.notEqual((await seriesOf('contoso')).length, 0);
    write(contoso, fabrikam);
    await waitFor(
      async () => (await ask('other', 'post', '/v1/investigations', item(++number))).status === 202,
      { what: 'the tenant to be back' },
    );
    const labels = 'tenant="fabrikam",operation="initiateInvestigation",outcome="accepted"';
    assert.ok((await seriesOf('fabrikam')).includes(`diq_requests_total{${labels}} 1`), 'from zero');
  });
});

/** Without what is another one in every answer. */
function withoutIds(text: string, id: string): string {
  return text
    .replaceAll(/"httpRequestId":"[^"]*"/g, '')
    .replaceAll(/"instance":"[^"]*"/g, '')
    .replaceAll(id, 'id');
}
