import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { keySpace as keySpaceOf } from '@diq/contracts/operations.ts';
import type { OperationName } from '@diq/contracts/operations/index.ts';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { sha256 } from '../test-support/credentials.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';

interface Shown {
  id: string;
  position?: number;
  expectedStartAt?: string;
  startNotBefore?: string;
  blockedBy?: { reason: string; behind?: { operation: string }; running?: number; since?: string };
}

describe('calls that wait for something else than a slot', () => {
  const redis = useEmbeddedRedis();
  const tenantId = randomUUID();
  const intake = useIntake(redis, {
    AZURE_TENANT_ID: tenantId,
    DEFENDER_OPERATION: 'runLiveResponse',
    DEFENDER_OPERATIONS: 'restrictCodeExecution,unrestrictCodeExecution',
    INTAKE_API_KEYS: `responder:respond+read:${sha256('responder')}`,
  });
  const ask = (method: 'get' | 'post', path: string) =>
    intake.anonymously()[method](path).set('X-API-Key', 'responder');
  const keysOf = (operation: OperationName) => storeKeys(keySpaceOf({ tenantId, operation }));
  const read = async (path: string) => (await ask('get', path).expect(200)).body as Shown;
  const accept = async (operation: OperationName, body: object) => {
    const answer = await ask('post', '/v1/requests')
      .send({ operation, ...body })
      .expect(202);
    return answer.body as Shown;
  };
  const quotaOf = async (operation: OperationName) =>
    (await ask('get', `/v1/quota?operation=${operation}`).expect(200)).body as {
      blocked: object;
      queue: { expectedDrainAt: string | null; startNotBefore: string | null };
    };
  const nextOf = async (operation: OperationName) =>
    (await ask('get', `/v1/queue/next?operation=${operation}`).expect(200)).body as {
      value: { requestId: string; blockedBy?: { reason: string } }[];
      blocked: { requestId: string; machineId: string; blockedBy: { reason: string } }[];
    };
  /** As a worker puts a task aside. */
  async function putAside(operation: OperationName, id: string, set: 'blocked' | 'offline') {
    const keys = keysOf(operation);
    const taskId = (await redis.client.hget(keys.request(id), 'task')) ?? assert.fail();
    await redis.client.zadd(keys[set], Date.now(), taskId);
    if (set === 'offline') await redis.client.hset(keys.task(taskId), 'offlineSince', Date.now());
    await redis.client.zrem(keys.jobOrder, taskId);
    await redis.client.del(`${keys.jobs}${taskId}`);
  }

  it('say which operation goes first on their machine, in their document, in the order and in numbers', async () => {
    await accept('restrictCodeExecution', item(1));
    const { id } = await accept('unrestrictCodeExecution', item(1));
    await putAside('unrestrictCodeExecution', id, 'blocked');
    const { blockedBy, position, expectedStartAt } = await read(`/v1/requests/${id}`);
    assert.deepEqual(
      [blockedBy?.reason, blockedBy?.behind?.operation, position, expectedStartAt],
      ['machine_busy', 'restrictCodeExecution', undefined, undefined],
    );
    const { value, blocked } = await nextOf('unrestrictCodeExecution');
    assert.deepEqual(value, []);
    assert.deepEqual(
      blocked.map((one) => [one.requestId, one.machineId, one.blockedBy]),
      [[id, machineId(1), blockedBy]],
    );
    const quota = await quotaOf('unrestrictCodeExecution');
    assert.deepEqual(quota.blocked, { machineBusy: 1, machineOffline: 0, concurrency: null });
    assert.equal(quota.queue.expectedDrainAt, null);
  });

  it('say that their machine is offline, and that Defender runs as many as it runs at once', async () => {
    const parameters = { commands: [{ type: 'RunScript', params: [{ key: 'ScriptName', value: 'a.ps1' }] }] };
    const offline = await accept('runLiveResponse', item(2, { parameters }));
    const waiting = await accept('runLiveResponse', item(3, { parameters }));
    assert.ok(waiting.expectedStartAt);
    await putAside('runLiveResponse', offline.id, 'offline');
    const { results } = keysOf('runLiveResponse');
    for (let i = 0; i < 25; i += 1) await redis.client.zadd(results, Date.now(), `task-${i}`);

    const { blockedBy } = await read(`/v1/requests/${offline.id}`);
    assert.equal(blockedBy?.reason, 'machine_offline');
    assert.ok(blockedBy.since);
    const full = await read(`/v1/requests/${waiting.id}`);
    assert.deepEqual(
      [full.position, full.expectedStartAt, full.blockedBy?.reason, full.blockedBy?.running],
      [1, undefined, 'concurrency', 25],
    );
    assert.ok(full.startNotBefore);
    const { blocked, value } = await nextOf('runLiveResponse');
    assert.deepEqual(
      [...value, ...blocked].map((one) => [one.requestId, one.blockedBy?.reason]),
      [
        [waiting.id, 'concurrency'],
        [offline.id, 'machine_offline'],
      ],
    );
    const quota = await quotaOf('runLiveResponse');
    const concurrency = { running: 25, limit: 25 };
    assert.deepEqual(quota.blocked, { machineBusy: 0, machineOffline: 1, concurrency });
    assert.equal(quota.queue.expectedDrainAt, null);
    const later = await accept('runLiveResponse', item(4, { parameters }));
    assert.deepEqual([later.blockedBy?.reason, later.expectedStartAt], ['concurrency', undefined]);
  });
});

describe('calls that wait for room where results are not followed (FOLLOW_UP=off)', () => {
  const redis = useEmbeddedRedis();
  const tenantId = randomUUID();
  const intake = useIntake(redis, {
    AZURE_TENANT_ID: tenantId,
    DEFENDER_OPERATION: 'runLiveResponse',
    FOLLOW_UP: 'off',
    INTAKE_API_KEYS: `responder:respond+read:${sha256('responder')}`,
  });

  it('are none because of results that were open before: the workers do not count these', async () => {
    const { results, inFlight } = storeKeys(keySpaceOf({ tenantId, operation: 'runLiveResponse' }));
    for (let i = 0; i < 25; i += 1) await redis.client.zadd(results, Date.now(), `task-${i}`);
    await redis.client.zadd(inFlight, Date.now(), 'called');
    const commands = [{ type: 'GetFile', params: [{ key: 'Path', value: 'a' }] }];
    const ask = (method: 'get' | 'post', path: string) =>
      intake.anonymously()[method](path).set('X-API-Key', 'responder');
    const { body } = await ask('post', '/v1/requests')
      .send(item(1, { parameters: { commands } }))
      .expect(202);
    const { blockedBy, expectedStartAt } = body as Shown;
    assert.deepEqual([blockedBy, typeof expectedStartAt], [undefined, 'string']);
    const { blocked } = (await ask('get', '/v1/quota').expect(200)).body as { blocked: object };
    assert.deepEqual(blocked, { machineBusy: 0, machineOffline: 0, concurrency: { running: 1, limit: 25 } });
  });
});
