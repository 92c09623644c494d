import assert from 'node:assert/strict';
import type { Test } from 'supertest';
import { opsPaths } from '@diq/runtime/http-server/request-target.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import type { Scope } from '../config/callers.ts';
import type { RouteDefinition } from '../http/define-route.ts';
import { createPageRoutes } from '../status-page/page-files.ts';
import { keys } from '../test-support/credentials.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake, type IntakeUnderTest } from '../test-support/intake-under-test.ts';
import { redisAway, unknownId } from '../test-support/items.ts';
import { apiRoutes, definitions, documentRoutes, operationsRoutes, sessionRoutes } from './index.ts';

/** Not taken from the definitions: a route that lost its scope must not pass. */
const scopes: Readonly<Record<string, Scope>> = {
  'POST /v1/investigations': 'submit',
  'GET /v1/investigations': 'read',
  'GET /v1/investigations/:id': 'read',
  'GET /v1/investigations/:id/result': 'read',
  'GET /v1/investigations/:id/package': 'read',
  'GET /v1/investigations/:id/results/:index': 'read',
  'PATCH /v1/investigations/:id': 'submit',
  'DELETE /v1/investigations/:id': 'submit',
  'POST /v1/investigations/cancel': 'submit',
  'POST /v1/investigations/retry': 'submit',
  'POST /v1/investigations/purge': 'admin',
  'POST /v1/investigations/:id/move-to-head': 'admin',
  'POST /v1/investigations/:id/retry': 'submit',
  'POST /v1/batches': 'submit',
  'GET /v1/batches': 'read',
  'GET /v1/batches/:id': 'read',
  'GET /v1/batches/:id/items': 'read',
  'DELETE /v1/batches/:id': 'submit',
  'GET /v1/tenants': 'read',
  'GET /v1/queues': 'read',
  'GET /v1/operations': 'read',
  'GET /v1/quota': 'read',
  'GET /v1/queue/next': 'read',
  'GET /v1/events': 'read',
  'POST /v1/queue/pause': 'admin',
  'POST /v1/queue/resume': 'admin',
  'GET /v1/audit': 'admin',
};
/** Who holds exactly which scopes. */
const holders = {
  submitter: ['submit'],
  reader: ['read'],
  playbook: ['submit', 'read'],
  operator: ['submit', 'read', 'admin'],
} as const;

const strangers: Readonly<Record<string, Record<string, string>>> = {
  'no credential': {},
  'an unknown key': { 'X-API-Key': 'not-a-key' },
  'an unknown bearer token': { Authorization: 'Bearer not-a-key' },
  'another scheme': { Authorization: `Basic ${keys.playbook}` },
  'two different keys': { Authorization: `Bearer ${keys.playbook}`, 'X-API-Key': keys.operator },
  'a key followed by more': { 'X-API-Key': `${keys.playbook}x` },
  'a key longer than 512 characters': { 'X-API-Key': 'k'.repeat(513) },
};
const unknownIds: Readonly<Record<string, string>> = {
  'an id that was never given out': unknownId,
  'an id of another form': 'abc',
  'an id with more behind it': `${unknownId}.`,
  'an id with other characters': '~_~',
  'an id far too long': 'a'.repeat(5_000),
};
const methods = ['get', 'post', 'put', 'patch', 'delete', 'options'] as const;

const nameOf = ({ method, path }: Pick<RouteDefinition, 'method' | 'path'>) =>
  `${method.toUpperCase()} ${path}`;
const api = definitions.filter(({ path }) => path.startsWith('/v1/'));

/** With an id in it, and the first of what is counted. */
const addressOf = (path: string, id = unknownId) => path.replace(':id', id).replace(':index', '0');

/** Asks with the body that the definition has for an example. */
function ask(intake: IntakeUnderTest, { method, path, body }: RouteDefinition, id = unknownId): Test {
  const asked = intake.anonymously()[method](addressOf(path, id));
  return body ? asked.send(body.example) : asked;
}

describe('every route of the API', () => {
  const intake = useIntake(useEmbeddedRedis());
  const away = useIntake(redisAway);

  it('needs a credential with the scope that is listed for it', () => {
    assert.deepEqual(Object.fromEntries(api.map((route) => [nameOf(route), route.scope])), scopes);
  });

  for (const route of api) {
    const name = nameOf(route);

    it(`${name} refuses a stranger with 401 and a challenge`, async () => {
      for (const [presented, headers] of Object.entries(strangers)) {
        const response = await ask(intake, route).set(headers);
        const problem = expectProblem(response, 'unauthenticated');
        assert.match(response.headers['www-authenticate'] ?? '', /^Bearer realm=/, presented);
        assert.equal(JSON.stringify(problem).includes(keys.playbook), false, presented);
      }
    });

    it(`${name} asks for its scope, before it looks at anything else`, async () => {
      const scope = scopes[name];
      assert.ok(scope);
      for (const [holder, held] of Object.entries(holders) as [keyof typeof holders, readonly Scope[]][]) {
        const isLetIn = held.includes(scope);
        // An answer without an end is not waited for.
        const isStream = route.path === '/v1/events' && isLetIn;
        const verb = isStream ? 'head' : route.method;
        const asked = intake.anonymously()[verb](addressOf(route.path));
        const response = await asked.set('X-API-Key', keys[holder]).send(route.body && { nonsense: true });
        if (isLetIn) {
          assert.ok(![401, 403].includes(response.status), `${holder}: ${response.status}`);
          continue;
        }
        assert.match(expectProblem(response, 'forbidden').detail ?? '', new RegExp(`'${scope}'`));
        assert.match(response.headers['www-authenticate'] ?? '', /error="insufficient_scope"/);
      }
    });

    // What they show stands in the settings.
    if (name !== 'GET /v1/tenants' && name !== 'GET /v1/operations')
      it(`${name} answers 503 within 2 s while Redis is away and says when to come back`, async () => {
        const startedAtMs = performance.now();
        const response = await ask(away, route).set('X-API-Key', keys.operator);
        assert.ok(performance.now() - startedAtMs < 2_000);
        expectProblem(response, 'redis_unavailable');
        assert.equal(response.headers['retry-after'], '5');
      });

    if (route.path.includes(':id')) {
      const code = route.path.startsWith('/v1/batches/') ? 'batch_not_found' : 'request_not_found';
      it(`${name} answers 404 ${code} for an id that names nothing`, async () => {
        for (const id of Object.values(unknownIds))
          expectProblem(await ask(intake, route, id).set('X-API-Key', keys.operator), code);
      });
    }

    if (route.body) {
      it(`${name} answers 415 to a body that is not JSON`, async () => {
        const asked = intake.anonymously()[route.method](addressOf(route.path));
        const response = await asked.set('X-API-Key', keys.operator).type('text/plain').send('text');
        expectProblem(response, 'unsupported_media_type');
      });
    }
  }
});

describe('every path that is served', () => {
  const intake = useIntake(useEmbeddedRedis());
  const offered = new Map<string, string[]>();
  for (const { method, path } of [
    ...apiRoutes,
    ...operationsRoutes,
    ...documentRoutes,
    ...sessionRoutes,
    ...createPageRoutes(),
  ])
    offered.set(path, [...(offered.get(path) ?? []), ...(method === 'get' ? ['get', 'head'] : [method])]);

  for (const [path, ofPath] of offered) {
    it(`${path} refuses other methods with 405 and names those that it has`, async () => {
      for (const method of methods.filter((one) => !ofPath.includes(one))) {
        // Express answers it by itself where only `get` is registered.
        if (method === 'options' && opsPaths.includes(path)) continue;
        const asked = intake.anonymously()[method](addressOf(path));
        const response = await asked.set('X-API-Key', keys.operator);
        expectProblem(response, 'method_not_allowed');
        const allowed = (response.headers['allow'] ?? '').toLowerCase().split(', ');
        assert.deepEqual(allowed.toSorted(), ofPath.toSorted(), `${method} ${path}`);
      }
    });
  }
});
