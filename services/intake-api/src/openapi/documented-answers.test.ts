import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keys } from '../test-support/credentials.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId, redisAway, unknownId } from '../test-support/items.ts';
import { beginCall, makeCall } from '../test-support/worker-moves.ts';
import type { Scope } from '../config/callers.ts';
import type { RouteDefinition } from '../http/define-route.ts';
import { definitions } from '../routes/index.ts';
import { problemAnswers } from './create-document.ts';

/** What a test of its own holds to the document, since it takes more than a request. */
const heldElsewhere = [
  // It needs no Redis; a 503 comes while Entra ID is away.
  'GET /v1/operations 503',
  // Nothing that a caller can do brings it about.
  '* 500',
  // `own-site.test.ts` asks every route under a foreign name.
  '* 421',
  // Several tests of the routes' own folders, of back-pressure and of replays.
  'POST /v1/investigations 409',
  'POST /v1/batches 409',
  'POST /v1/batches 413',
  // `queues/tenants.test.ts`: of a tenant that was taken out.
  'POST /v1/investigations/retry 409',
  // `entra-tokens.test.ts`: needs no Redis.
  'GET /v1/tenants 503',
  // `test/end-to-end/links.test.ts`: they take a worker and its Defender.
  'GET /v1/investigations/:id/package 302',
  'GET /v1/investigations/:id/package 409',
  'GET /v1/investigations/:id/results/:index 302',
  'GET /v1/investigations/:id/results/:index 409',
  // Open until the caller leaves.
  'GET /v1/events 200',
];

const failure = { status: 'failed', error: { code: 'defender_error', message: 'no' }, attempts: 1 } as const;

describe('every documented answer is given', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis, { DEFENDER_CALLS_PER_WINDOW: '5' });
  const limited = useIntake(redis, { INTAKE_MAX_REQUESTS_PER_MINUTE: '1' });
  const alone = useIntake(redisAway);
  let numbers = 0;

  /** Ids of what each answer is asked about. */
  async function submit(): Promise<{ id: string; number: number }> {
    const number = ++numbers;
    const { body } = await intake.post('/v1/investigations', item(number)).expect(202);
    return { id: (body as { id: string }).id, number };
  }
  async function idFor({ path }: RouteDefinition, status: number): Promise<string> {
    if (status === 404) return unknownId;
    if (path.startsWith('/v1/batches')) {
      const { body } = await intake.post('/v1/batches', { requests: [item(++numbers)] }).expect(202);
      return (body as { id: string }).id;
    }
    const { id, number } = await submit();
    const wantsEnd = path.endsWith('/retry') ? status === 202 : path.endsWith('/result') && status === 200;
    if (wantsEnd) await makeCall(intake, machineId(number), failure);
    else if (status === 409 && !path.endsWith('/retry')) await beginCall(intake, machineId(number));
    return id;
  }

  /** A body that is accepted. */
  function bodyFor({ id }: RouteDefinition): object {
    const bodies: Record<string, object> = {
      submitInvestigation: item(++numbers),
      submitBatch: { requests: [item(++numbers), { machineId: 'no' }] },
      changeInvestigation: { priority: 'low' },
      cancelInvestigations: { source: 'unknown-source' },
      retryInvestigations: { source: 'unknown-source' },
      purgeInvestigations: { caller: 'unknown-caller' },
      pauseQueue: { reason: 'a test' },
    };
    return bodies[id] ?? {};
  }

  /** Asks so that this status is due. */
  async function provoke(operation: RouteDefinition, status: number) {
    const { method, body, scope } = operation;
    const at = status === 503 ? alone : status === 429 ? limited : intake;
    const id = operation.path.includes(':id') && at === intake ? await idFor(operation, status) : unknownId;
    const asked = at.anonymously()[method](operation.path.replace(':id', id).replace(':index', '0'));
    if (status !== 401 && scope) asked.set('X-API-Key', keyFor(operation, scope, status));
    if (status === 400 || (status === 200 && body && operation.answers[202]))
      asked.query(queryFor(operation, status));
    if (!body) return asked;
    if (status === 415) return asked.type('text/plain').send('text');
    if (status === 413) return asked.send({ comment: 'x'.repeat(170_000) });
    if (status === 400) return asked.send({ nonsense: true });
    if (status === 422) return reuseKey(operation);
    return asked.send(bodyFor(operation));
  }

  async function reuseKey(operation: RouteDefinition) {
    const post = () =>
      intake.post(operation.path, bodyFor(operation)).set('Idempotency-Key', `key of ${operation.id}`);
    await post().expect(202);
    return post();
  }

  for (const operation of definitions) {
    const name = `${operation.method.toUpperCase()} ${operation.path}`;
    const statuses = [
      ...Object.keys(operation.answers).map(Number),
      ...problemAnswers(operation).map((answer) => answer.status),
    ];
    for (const status of new Set(statuses)) {
      if (heldElsewhere.includes(`${name} ${status}`) || heldElsewhere.includes(`* ${status}`)) continue;
      it(`${name} ${status}`, async () => {
        if (status === 429) await limited.anonymously().get('/v1/quota').set('X-API-Key', keys.operator);
        assert.equal((await provoke(operation, status)).status, status);
      });
    }
  }
});

function keyFor({ path }: RouteDefinition, scope: Scope, status: number): string {
  if (status === 403) return keyWithout(scope);
  return status === 404 && !path.includes(':id') ? keys.elsewhere : keys.operator;
}

function keyWithout(scope: Scope): string {
  const withoutIt: Partial<Record<Scope, string>> = {
    submit: keys.reader,
    read: keys.submitter,
    admin: keys.playbook,
  };
  return withoutIt[scope] ?? keys.operator;
}

function queryFor({ id, query, queue }: RouteDefinition, status: number): Record<string, string> {
  if (status === 200) return id.startsWith('submit') ? { dryRun: 'true' } : {};
  const names = [...Object.keys(query?.shape ?? {}), ...(queue === 'query' ? ['operation'] : [])];
  return Object.fromEntries(names.map((name) => [name, '']));
}
