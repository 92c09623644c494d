import assert from 'node:assert/strict';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import type { ErrorCode } from '../http/error-catalogue.ts';
import type { Dependencies } from '../dependencies.ts';
import { createApp } from '../app.ts';
import { createMetrics } from '../observability/metrics.ts';
import type { keys } from '../test-support/credentials.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId, unknownId } from '../test-support/items.ts';
import { routesOf } from '../test-support/routes-of.ts';

type Key = Exclude<keyof typeof keys, 'elsewhere'>;
type Answer = number | ErrorCode;

/** Whose request it is: the asking caller's, another caller's, or one that was recorded before callers were. */
const owners = ['own', 'another', 'unknown'] as const;
type Owner = (typeof owners)[number];

const forbidden = { own: 'forbidden', another: 'forbidden', unknown: 'forbidden' } as const;
const always = (answer: Answer) => ({ own: answer, another: answer, unknown: answer }) as const;
/** `submitter` may submit, `playbook` submit and read, `reader` read, `operator` everything. */
type Row = Record<Key, Record<Owner, Answer>>;

const readable = (answer: Answer): Row => ({
  submitter: forbidden,
  playbook: always(answer),
  reader: always(answer),
  operator: always(answer),
});
const ownOnly = (notFound: ErrorCode, answer: Answer = 200): Row => ({
  submitter: { own: answer, another: notFound, unknown: notFound },
  playbook: { own: answer, another: 'not_owner', unknown: 'not_owner' },
  reader: forbidden,
  operator: always(answer),
});
const operatorOnly = (answer: Answer): Row => ({
  submitter: forbidden,
  playbook: forbidden,
  reader: forbidden,
  operator: { own: answer, another: answer, unknown: answer },
});

const table: Readonly<Record<string, Row>> = {
  'GET /v1/investigations/:id': readable(200),
  'GET /v1/investigations/:id/result': readable(202),
  'GET /v1/investigations/:id/package': readable('result_not_found'),
  'GET /v1/investigations/:id/results/:index': readable('result_not_found'),
  'PATCH /v1/investigations/:id': ownOnly('request_not_found'),
  'DELETE /v1/investigations/:id': ownOnly('request_not_found'),
  'POST /v1/investigations/:id/move-to-head': operatorOnly(200),
  'POST /v1/investigations/:id/retry': ownOnly('request_not_found', 'nothing_to_retry'),
  'GET /v1/batches/:id': readable(200),
  'GET /v1/batches/:id/items': readable(200),
  'DELETE /v1/batches/:id': ownOnly('batch_not_found'),
};

describe('who may do what with whose request', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis);
  let numbers = 0;

  /** A request and its batch, recorded for this owner as seen by the caller. */
  async function submitFor(caller: Key, owner: Owner): Promise<{ batch: string; request: string }> {
    const others: Record<Key, Key> = {
      submitter: 'playbook',
      playbook: 'submitter',
      reader: 'playbook',
      operator: 'playbook',
    };
    // Who may not submit has nothing of its own: there it is as good as another's.
    const by = owner === 'own' && caller !== 'reader' ? caller : others[caller];
    const posted = await intake.as(by, 'post', '/v1/batches', { requests: [item(++numbers)] }).expect(202);
    const { id: batch, items } = posted.body as { id: string; items: { id: string }[] };
    const request = items[0]!.id;
    if (owner === 'unknown') await forgetCaller(batch, request);
    return { batch, request };
  }

  async function forgetCaller(...ids: string[]): Promise<void> {
    for (const id of ids) {
      const [key = ''] = await redis.client.keys(`*:{*}:*:${id}`);
      assert.equal(await redis.client.hdel(key, 'caller'), 1, key);
    }
  }

  it('is in this table for every route that names one', () => {
    const named = routesOf(createApp(emptyParts)).filter((route) => route.includes(':id'));
    assert.deepEqual(named.toSorted(), Object.keys(table).toSorted());
  });

  for (const [route, row] of Object.entries(table)) {
    for (const [caller, answers] of Object.entries(row) as [Key, Row[Key]][]) {
      for (const owner of owners) {
        it(`${route}, ${caller}, request of ${owner}: ${answers[owner]}`, async () => {
          const { batch, request } = await submitFor(caller, owner);
          const [method = '', path = ''] = route.split(' ');
          const target = path
            .replace(':id', path.startsWith('/v1/batches') ? batch : request)
            .replace(':index', '0');
          const verb = method.toLowerCase() as 'get' | 'post' | 'patch' | 'delete';
          const asked = intake.as(caller, verb, target, method === 'PATCH' ? { priority: 'low' } : undefined);
          const answer = answers[owner];
          if (typeof answer === 'number') {
            await asked.expect(answer);
            return;
          }
          expectProblem(await asked, answer);
          const { body } = await intake.as('operator', 'get', `/v1/investigations/${request}`).expect(200);
          const { status, priority } = body as Record<string, unknown>;
          assert.deepEqual({ status, priority }, { status: 'queued', priority: 'medium' });
        });
      }
    }
  }

  it('tells a caller that may not read no difference between an id of another and one that is none', async () => {
    const { batch, request } = await submitFor('submitter', 'another');
    for (const [path, id] of [
      ['/v1/investigations/', request],
      ['/v1/batches/', batch],
    ] as const) {
      const answers = await Promise.all(
        [id, unknownId].map(async (one) => {
          const answer = await intake.as('submitter', 'delete', path + one);
          const { httpRequestId: _, instance: __, ...problem } = answer.body as Record<string, unknown>;
          return { status: answer.status, problem, names: Object.keys(answer.headers).toSorted() };
        }),
      );
      assert.deepEqual(answers[0], answers[1]);
    }
  });

  it('lets go of its own and not of what another asked for the same machine', async () => {
    const machine = item(++numbers);
    const submit = async (by: Key) => {
      const { body } = await intake.as(by, 'post', '/v1/investigations', machine).expect(202);
      return (body as { id: string }).id;
    };
    const [first, second] = [await submit('playbook'), await submit('submitter')];
    await intake.as('submitter', 'delete', `/v1/investigations/${second}`).expect(200);
    const statusOf = async (id: string) =>
      ((await intake.get(`/v1/investigations/${id}`).expect(200)).body as { status: string }).status;
    assert.deepEqual([await statusOf(first), await statusOf(second)], ['queued', 'cancelled']);
  });

  describe('cancelling by filter', () => {
    const cancel = async (by: Key, filter: object) =>
      (await intake.as(by, 'post', '/v1/investigations/cancel', filter).expect(200)).body as object;
    const none = { cancelled: 0, alreadyDispatched: 0, remaining: false };

    for (const name of ['machineId', 'source', 'batchId'] as const) {
      it(`by ${name} touches the caller's own and counts no others, and everybody's for an operator`, async () => {
        const number = ++numbers;
        const source = `source-${number}`;
        const batches: Partial<Record<Key, string>> = {};
        for (const by of ['playbook', 'submitter', 'operator'] as const) {
          const requests = [item(number, { source })];
          const { body } = await intake.as(by, 'post', '/v1/batches', { requests }).expect(202);
          batches[by] = (body as { id: string }).id;
        }
        const filterFor = (whose: Key) =>
          ({
            machineId: { machineId: machineId(number) },
            source: { source },
            batchId: { batchId: batches[whose] },
          })[name];
        if (name === 'batchId') {
          assert.deepEqual(await cancel('submitter', filterFor('playbook')), none);
          assert.deepEqual(await cancel('submitter', filterFor('submitter')), { ...none, cancelled: 1 });
          assert.deepEqual(await cancel('operator', filterFor('playbook')), { ...none, cancelled: 1 });
          return;
        }
        assert.deepEqual(await cancel('submitter', filterFor('submitter')), { ...none, cancelled: 1 });
        assert.deepEqual(await cancel('submitter', filterFor('submitter')), none);
        assert.deepEqual(await cancel('operator', filterFor('operator')), { ...none, cancelled: 2 });
      });
    }
  });
});

/** Enough to make an app of, which is only looked at. */
const emptyParts = {
  logger: createLogger({ level: 'silent', service: 'none' }),
  metrics: createMetrics(),
  closing: new AbortController().signal,
  trustedProxies: [],
} as unknown as Dependencies;
