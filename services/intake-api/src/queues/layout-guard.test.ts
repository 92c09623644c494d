import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keySpace } from '@diq/contracts/operations.ts';
import { layoutVersion } from '@diq/queue/layout.ts';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { closeRedis, openFailFastConnection, waitUntilReady } from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, unknownId } from '../test-support/items.ts';
import { createLayoutGuard } from './layout-guard.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('a queue that another version holds', () => {
  const redis = useEmbeddedRedis();
  const folder = mkdtempSync(join(tmpdir(), 'intake-layout-'));
  const file = join(folder, 'tenants.json');
  const [present, foreign] = ['present', 'foreign'].map((name) => ({ name, tenantId: randomUUID() })) as [
    { name: string; tenantId: string },
    { name: string; tenantId: string },
  ];
  const entry = ({ name, tenantId }: typeof present) => ({
    name,
    tenantId,
    clientId: randomUUID(),
    clientSecretFile: '/run/secret',
  });
  const tenants = [present, foreign].map(entry);
  writeFileSync(file, JSON.stringify({ tenants }));
  after(() => rmSync(folder, { recursive: true }));
  const foreignSpace = keySpace({ tenantId: foreign.tenantId, operation: 'initiateInvestigation' });
  const { layout } = storeKeys(foreignSpace);
  before('another version has written', async () => {
    await redis.client.set(layout, layoutVersion + 1);
  });
  const intake = useIntake(redis, {
    TENANTS_FILE: file,
    AZURE_TENANT_ID: '',
    INTAKE_API_KEYS: `all:submit+read+admin:${sha256('all')}:*`,
  });
  const ask = (method: 'get' | 'post', path: string) =>
    intake.anonymously()[method](path).set('X-API-Key', 'all');
  const keysOfForeign = async () => (await redis.client.keys(`${foreignSpace}*`)).toSorted();

  it('is neither read nor written, is named by log and readiness, and keeps no other from being served', async () => {
    const before = await keysOfForeign();
    const refused = async (path: string, method: 'get' | 'post', body?: object) =>
      expectProblem(await ask(method, `/v1/tenants/foreign${path}`).send(body), 'other_version');
    await refused('/investigations', 'post', item(1));
    await refused('/batches', 'post', { requests: [item(1)] });
    await refused(`/investigations/${unknownId}`, 'get');
    await refused('/quota', 'get');
    await refused('/queue/pause', 'post', { reason: 'drill' });
    await ask('post', '/v1/tenants/present/investigations').send(item(1)).expect(202);
    const { body } = await ask('get', '/v1/queues').expect(200);
    assert.deepEqual(
      (body as { value: { tenant: string; isReadable: boolean }[] }).value.map((one) => [
        one.tenant,
        one.isReadable,
      ]),
      [
        ['foreign', false],
        ['present', true],
      ],
    );
    const ready = await intake.anonymously().get('/readyz').expect(200);
    const { checks } = ready.body as { checks: Record<string, string> };
    assert.match(checks['queues'] ?? '', /foreign\/initiateInvestigation.*another version/);
    const lines = intake.log.filter(({ msg }) => msg === 'another version holds the queue: not served');
    assert.deepEqual(
      lines.map(({ tenant, level }) => [tenant, level]),
      [['foreign', 'error']],
    );
    assert.deepEqual(await keysOfForeign(), before);
    assert.equal(await redis.client.get(layout), String(layoutVersion + 1));
  });

  it('is served as soon as this version may: an operator mended it', async () => {
    await redis.client.set(layout, layoutVersion);
    await ask('post', '/v1/tenants/foreign/investigations').send(item(2)).expect(202);
  });
});

describe('the guard of layouts', () => {
  const redis = useEmbeddedRedis();

  it('asks again when the connection is back, as after a restored backup', async () => {
    const logger = createLogger({ level: 'silent', service: 'intake-api' });
    const connection = openFailFastConnection({ address: parseRedisUrl(redis.url), name: 'test', logger });
    await waitUntilReady(connection, 5_000);
    const tenantId = randomUUID();
    const operation = 'initiateInvestigation';
    const queue = { tenantId, operation, keySpace: keySpace({ tenantId, operation }) };
    const found: string[] = [];
    const guard = createLayoutGuard({
      redis: connection,
      logger,
      onForeign: (_error, queues) => found.push(...queues.map((one) => one.keySpace)),
    });
    await guard.claim(queue as never);
    await redis.client.set(storeKeys(queue.keySpace).layout, layoutVersion + 1);
    connection.disconnect(true);
    await waitFor(() => found.length > 0, { what: 'the other layout to be found' });
    assert.deepEqual(found, [queue.keySpace]);
    await closeRedis(connection);
  });
});
