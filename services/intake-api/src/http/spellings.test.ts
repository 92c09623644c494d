import assert from 'node:assert/strict';
import { request as send, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import type { Dependencies } from '../dependencies.ts';
import { createApp } from '../app.ts';
import { createMetrics } from '../observability/metrics.ts';
import { keys } from '../test-support/credentials.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { routesOf } from '../test-support/routes-of.ts';

/** Every other way to write a path that a client or proxy may take for the same. */
const otherSpellings: Readonly<Record<string, (path: string) => string | undefined>> = {
  'in capital letters': (path) => path.replace(/[a-z](?=[a-z]*$)/, (letter) => letter.toUpperCase()),
  'with a slash at its end': (path) => (path === '/' ? undefined : `${path}/`),
  'with two slashes at its beginning': (path) => `/${path}`,
  'with two slashes before its last step': (path) => path.replace(/\/(?=[^/]*$)/, '//'),
  'with a dot': (path) => `/.${path}`,
  'with two dots': (path) => `/x/..${path}`,
  'with encoded dots': (path) => `/x/%2e%2e${path}`,
  'with an encoded letter': (path) => (path === '/' ? undefined : path.replace(/.$/, encodeLetter)),
  'with an encoded slash': (path) => path.replace(/\/(?=[^/]*$)/, '%2F'),
  'with a fragment': (path) => `${path}#x`,
  'with a parameter': (path) => `${path};x=1`,
  'with a backslash': (path) => path.replace(/\/(?=[^/]*$)/, '\\'),
  'with an encoded NUL at its end': (path) => `${path}%00`,
};
const encodeLetter = (letter: string) => `%${letter.charCodeAt(0).toString(16)}`;

const emptyParts = {
  logger: createLogger({ level: 'silent', service: 'none' }),
  metrics: createMetrics(),
  closing: new AbortController().signal,
  trustedProxies: [],
} as unknown as Dependencies;

interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: object;
}

describe('a path', () => {
  const intake = useIntake(useEmbeddedRedis());

  /** With this very target in the request line. */
  async function ask(target: string, { method = 'GET', headers = {}, body }: Asked = {}) {
    const { hostname, port } = new URL(intake.url);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      send({
        hostname,
        port,
        method,
        path: target,
        headers: { 'X-API-Key': keys.operator, 'Content-Type': 'application/json', ...headers },
      })
        .once('response', resolve)
        .once('error', reject)
        .end(body && JSON.stringify(body));
    });
    const answer = await text(response);
    return { status: response.statusCode, headers: response.headers, text: answer };
  }
  const hostOf = () => new URL(intake.url).host;

  const routes = routesOf(createApp(emptyParts)).map((route) => {
    const [method = '', path = ''] = route.split(' ');
    return {
      method,
      path: path.replace(':id', '01930000-0000-7000-8000-00000000000a').replace(':index', '0'),
    };
  });

  for (const [how, write] of Object.entries(otherSpellings)) {
    it(`names no route when it is written ${how}`, async () => {
      for (const { method, path } of routes) {
        const target = write(path);
        if (target === undefined || target === path) continue;
        const answer = await ask(target, { method });
        assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/);
        // No request target at all, by RFC 9112 3.2.
        if (!target.startsWith('/')) {
          assert.equal(answer.status, 400, `${method} ${target}`);
          continue;
        }
        // What stands in the place of an id is taken for one, whatever else is wrong with such a request.
        const isId = /^\/v1\/(?:investigations|batches)\/[\w.~-]+$/.test(target);
        if (isId && [400, 405].includes(answer.status ?? 0)) continue;
        assert.equal(answer.status, 404, `${method} ${target}`);
        const { code, instance } = JSON.parse(answer.text) as Record<string, string>;
        // An id in capital letters is the id.
        if (!path.includes('01930000')) assert.equal(code, 'route_not_found', target);
        assert.match(instance ?? '', /^\//);
      }
    });
  }

  it('is the same in absolute form with any host in it, and the answer holds the path alone', async () => {
    for (const origin of [
      `http://${hostOf()}`,
      'HTTP://other.example',
      'https://user:secret@other.example:8080',
    ]) {
      assert.equal((await ask(`${origin}/v1/quota?x=1`)).status, 200);
      assert.equal((await ask(origin)).status, 200);
      const missing = await ask(`${origin}/v1/nothing?x=1`);
      assert.equal(missing.status, 404);
      assert.equal((JSON.parse(missing.text) as { instance: string }).instance, '/v1/nothing');
    }
    assert.doesNotMatch(JSON.stringify(intake.log), /secret@/);
  });

  it('of an operations route is had in origin form only, so that the rule of a proxy finds it', async () => {
    for (const path of ['/metrics', '/livez', '/readyz']) {
      assert.equal((await ask(path)).status, 200);
      for (const target of [`http://${hostOf()}${path}`, `http://x${path}?y`, `HTTPS://x${path}`]) {
        assert.equal((await ask(target)).status, 404, target);
      }
    }
  });

  it('that is no path at all names nothing', async () => {
    for (const target of [
      '*',
      'v1/quota',
      'x:1',
      'ftp://x/v1/quota',
      'http:///v1/quota',
      '//x/v1/quota',
      '/?#',
    ]) {
      const answer = await ask(target, { method: 'OPTIONS' });
      assert.ok([400, 404].includes(answer.status ?? 0), `${target}: ${answer.status}`);
    }
  });

  it('in absolute form and the same Idempotency-Key mean the first request', async () => {
    for (const [i, path] of ['/v1/investigations', '/v1/batches'].entries()) {
      const one = item(10 + i, { force: true });
      const body = path === '/v1/batches' ? { requests: [one] } : one;
      const post = (target: string, key: string) =>
        ask(target, { method: 'POST', headers: { 'Idempotency-Key': key }, body });
      const first = await post(path, `key ${i}`);
      assert.equal(first.status, 202);
      for (const [target, key] of [
        [`http://${hostOf()}${path}`, `key ${i}`],
        [`https://other.example${path}?`, `key ${i}`],
        [`${path}?dryRun=false`, `key ${i}`],
        [path, `"key ${i}"`],
      ] as const) {
        const again = await post(target, key);
        assert.equal(again.headers['idempotent-replayed'], 'true', target);
        assert.equal(again.text, first.text);
      }
    }
  });

  it('under another of its names and the same Idempotency-Key mean the first request', async () => {
    const paths = ['/v1/requests', '/v1/investigations', '/v1/tenants/default/requests'];
    for (const [i, path] of paths.entries()) {
      const names = [path, ...paths.filter((one) => one !== path), '/v1/tenants/default/investigations'];
      const ids = new Set<string>();
      for (const name of names) {
        const headers = { 'Idempotency-Key': `named-${i}` };
        const answer = await ask(name, { method: 'POST', headers, body: item(60 + i, { force: true }) });
        assert.equal(answer.status, 202, name);
        assert.equal(answer.headers['idempotent-replayed'], name === path ? undefined : 'true', name);
        ids.add((JSON.parse(answer.text) as { id: string }).id);
      }
      assert.equal(ids.size, 1);
    }
  });

  it('may name an id in any case, and every route answers with the id as it was given out', async () => {
    const { body: batch } = await intake.post('/v1/batches', { requests: [item(20), item(21)] }).expect(202);
    const [id, batchId] = [batch.items[0].id as string, batch.id as string];
    const [upper, upperBatch] = [id.toUpperCase(), batchId.toUpperCase()];
    assert.notEqual(upper, id);
    const asOperator = (method: 'get' | 'post' | 'patch' | 'delete', path: string, body?: object) =>
      intake.as('operator', method, path, body);
    for (const [answer, expected] of [
      [await asOperator('get', `/v1/investigations/${upper}`), 200],
      [await asOperator('get', `/v1/investigations/${upper}/result`), 202],
      [await asOperator('patch', `/v1/investigations/${upper}`, { priority: 'high' }), 200],
      [await asOperator('post', `/v1/investigations/${upper}/move-to-head`, {}), 200],
      [await asOperator('get', `/v1/batches/${upperBatch}`), 200],
      [await asOperator('get', `/v1/batches/${upperBatch}/items?limit=1`), 200],
      [await asOperator('get', `/v1/investigations?batchId=${upperBatch}&limit=1`), 200],
      [
        await asOperator('post', '/v1/investigations/cancel', {
          batchId: upperBatch,
          machineId: machineId(21),
        }),
        200,
      ],
      [await asOperator('delete', `/v1/investigations/${upper}`), 200],
      [await asOperator('post', `/v1/investigations/${upper}/retry`, {}), 409],
      [await asOperator('delete', `/v1/batches/${upperBatch}`), 200],
    ] as const) {
      assert.equal(answer.status, expected, answer.text);
      if (expected === 409) continue;
      assert.equal(answer.text.includes(upper) || answer.text.includes(upperBatch), false, answer.text);
    }
    const { body: counted } = await intake.get(`/v1/batches/${batchId}`).expect(200);
    assert.equal(counted.counts.cancelled, 2);
  });

  it('or a machine in any case leads to one task, and to all requests for the machine', async () => {
    const machine = 'abcdef0123456789abcdef0123456789abcdef01';
    const { body: first } = await intake
      .post('/v1/investigations', item(0, { machineId: machine }))
      .expect(202);
    const { body: second } = await intake
      .post('/v1/investigations', item(0, { machineId: machine.toUpperCase() }))
      .expect(202);
    assert.equal(second.coalescedWith, first.id);
    assert.equal(second.machineId, machine);
    const { body: listed } = await intake
      .get(`/v1/investigations?machineId=${machine.toUpperCase()}`)
      .expect(200);
    assert.equal(listed.value.length, 2);
  });
});
