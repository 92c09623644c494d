import assert from 'node:assert/strict';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import type { Scope } from './api-keys.ts';
import type { AppParts } from '../dependencies.ts';
import { createApp } from '../app.ts';
import { createMetrics } from '../observability/metrics.ts';
import { keys } from '../test-support/credentials.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { unknownId } from '../test-support/items.ts';
import { routesOf } from '../test-support/routes-of.ts';

const needs: Readonly<Record<string, Scope>> = {
  'POST /v1/batches': 'submit',
  'GET /v1/batches/:id': 'read',
  'DELETE /v1/batches/:id': 'submit',
  'GET /v1/batches/:id/items': 'read',
  'GET /v1/investigations': 'read',
  'POST /v1/investigations': 'submit',
  'GET /v1/investigations/:id': 'read',
  'PATCH /v1/investigations/:id': 'submit',
  'DELETE /v1/investigations/:id': 'submit',
  'GET /v1/investigations/:id/result': 'read',
  'POST /v1/investigations/cancel': 'submit',
  'POST /v1/investigations/purge': 'admin',
  'POST /v1/investigations/:id/move-to-head': 'admin',
  'POST /v1/investigations/:id/retry': 'admin',
  'POST /v1/queue/pause': 'admin',
  'POST /v1/queue/resume': 'admin',
  'GET /v1/audit': 'admin',
  'GET /v1/quota': 'read',
  'GET /v1/events': 'read',
};

/** Who holds exactly which scopes. */
const holders = { submitter: ['submit'], reader: ['read'], operator: ['submit', 'read', 'admin'] } as const;

describe('a scope', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('is asked for by every route under /v1', () => {
    assert.deepEqual(
      routesOf(createApp(emptyParts))
        .filter((route) => route.includes(' /v1/'))
        .toSorted(),
      Object.keys(needs).toSorted(),
    );
  });

  for (const [route, scope] of Object.entries(needs)) {
    const [method = '', path = ''] = route.split(' ');
    const ask = (key: string, isLetIn: boolean) => {
      // An answer without an end is not waited for.
      const isStream = path === '/v1/events' && isLetIn;
      const verb = (isStream ? 'head' : method.toLowerCase()) as 'get' | 'post' | 'patch' | 'delete' | 'head';
      const asked = intake.anonymously()[verb](path.replace(':id', unknownId)).set('X-API-Key', key);
      return method === 'POST' || method === 'PATCH' ? asked.send({ nonsense: true }) : asked;
    };
    it(`'${scope}' is what ${route} asks for, before it looks at anything else`, async () => {
      for (const [holder, held] of Object.entries(holders)) {
        const isLetIn = (held as readonly Scope[]).includes(scope);
        const answer = await ask(keys[holder as keyof typeof holders], isLetIn);
        if (isLetIn) {
          assert.ok(![401, 403].includes(answer.status), `${holder}: ${answer.status}`);
        } else {
          expectProblem(answer, 'forbidden');
        }
      }
    });
  }
});

/** Enough to make an app of, which is only looked at. */
const emptyParts = {
  logger: createLogger({ level: 'silent', service: 'none' }),
  metrics: createMetrics(),
  closing: new AbortController().signal,
  trustedProxies: [],
} as unknown as AppParts;
