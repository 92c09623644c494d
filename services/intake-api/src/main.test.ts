import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { keySpace } from '@diq/contracts/operations.ts';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { allOutput, forgetOutput, startIntake, stopAll } from '@diq/testing/service-process.ts';
import { keys, keySetting } from './test-support/credentials.ts';
import { item } from './test-support/items.ts';

describe('the intake as a process', () => {
  const redis = useEmbeddedRedis();
  const settings = () => ({
    REDIS_URL: redis.url,
    INTAKE_HOST: '127.0.0.1',
    INTAKE_API_KEYS: keySetting,
    AZURE_TENANT_ID: randomUUID(),
  });
  after(stopAll);

  it('ends with exit code 78 on unusable settings, naming all of them and no hash', async () => {
    const hash = 'ab'.repeat(31);
    const failed = startIntake({ INTAKE_API_KEYS: `xsoar:submit:${hash}`, LOG_LEVEL: 'loud' });
    await assert.rejects(failed, (error: Error) => {
      assert.match(error.message, /ended \(78\)/);
      for (const name of [
        'REDIS_URL',
        'INTAKE_API_KEYS: entry 1 \\(xsoar\\)',
        'AZURE_TENANT_ID',
        'LOG_LEVEL',
      ]) {
        assert.match(error.message, new RegExp(name));
      }
      assert.ok(!error.message.includes(hash));
      return true;
    });
  });

  it('finishes what it has begun on SIGTERM, and ends with exit code 0', async () => {
    forgetOutput();
    const service = await startIntake(settings());
    const upload = request({
      port: service.ready.port,
      host: '127.0.0.1',
      method: 'POST',
      path: '/v1/investigations',
      headers: { 'X-API-Key': keys.playbook, 'Content-Type': 'application/json', Expect: '100-continue' },
    });
    const answered = once(upload, 'response') as Promise<[{ statusCode: number; resume(): void }]>;
    upload.flushHeaders();
    // The service has the request and waits for its body.
    await once(upload, 'continue');
    service.kill('SIGTERM');
    upload.end(JSON.stringify(item(1)));
    const [response] = await answered;
    response.resume();
    assert.equal(response.statusCode, 202);
    assert.deepEqual(await service.exited, { code: 0, signal: null });
    assert.doesNotMatch(
      allOutput(),
      /"level":"(?:warn|error)"/,
      'a start with all it needs warns of nothing',
    );
  });

  it('does not start on data of another version, and says what to do', async () => {
    const env = settings();
    const owner = { tenantId: env.AZURE_TENANT_ID, operation: 'initiateInvestigation' } as const;
    await redis.client.set(storeKeys(keySpace(owner)).layout, '999');
    await assert.rejects(startIntake(env), /ended \(1\)[^]*layout 999[^]*start that version again/);
  });

  it('ends in order while Redis is away', async () => {
    const service = await startIntake({ ...settings(), REDIS_URL: 'redis://127.0.0.1:1' });
    const startedAtMs = performance.now();
    assert.deepEqual(await service.stop(), { code: 0, signal: null });
    assert.ok(performance.now() - startedAtMs < 5_000);
  });
});
