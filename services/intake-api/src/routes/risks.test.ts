import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item } from '../test-support/items.ts';

const keyOf = (name: string, scopes: string) =>
  `${name}:${scopes}:${createHash('sha256').update(name).digest('hex')}`;
const itemToScan = (number: number) => ({ ...item(number), parameters: { scanType: 'Quick' } });
const scan = (number: number) => ({ ...itemToScan(number), operation: 'runAntiVirusScan' });

describe('an operation that changes what a machine does', () => {
  const intake = useIntake(useEmbeddedRedis(), {
    DEFENDER_OPERATIONS: 'runAntiVirusScan',
    INTAKE_API_KEYS: [
      keyOf('submitter', 'submit+read'),
      keyOf('responder', 'respond+read'),
      keyOf('admin', 'admin'),
      keyOf('both', 'admin+respond'),
    ].join(','),
  });
  const ask = (key: string, method: 'get' | 'post', path: string, body?: object) => {
    const asked = intake.anonymously()[method](path).set('X-API-Key', key);
    return body === undefined ? asked : asked.send(body);
  };
  const batchOf = (...requests: object[]) => ({ operation: 'runAntiVirusScan', requests });

  it('is asked for with the scope of its risk alone: submit and admin do not include it', async () => {
    for (const key of ['submitter', 'admin']) {
      const refused = await ask(key, 'post', '/v1/requests', scan(1));
      expectProblem(refused, 'forbidden');
      assert.match(refused.headers['www-authenticate'] ?? '', /insufficient_scope", scope="respond"/);
      expectProblem(await ask(key, 'post', '/v1/batches', batchOf(itemToScan(1))), 'forbidden');
      await ask(key, 'post', '/v1/requests', item(1)).expect(202);
    }
    for (const key of ['responder', 'both']) {
      await ask(key, 'post', '/v1/requests', scan(2)).expect(202);
      await ask(key, 'post', '/v1/batches', batchOf(itemToScan(2))).expect(202);
    }
    expectProblem(await ask('responder', 'post', '/v1/requests', item(3)), 'forbidden');
  });

  it('names the field at fault in a batch, in its defaults too', async () => {
    const faulty = { ...itemToScan(4), parameters: { scanType: 'Deep' } };
    const answer = await ask('both', 'post', '/v1/batches', batchOf(faulty));
    assert.deepEqual(
      (answer.body as { errors: { path: string }[] }).errors.map(({ path }) => path),
      ['requests[0].parameters.scanType'],
    );
    const inDefaults = { ...batchOf(item(4)), defaults: { parameters: { scanType: 1 } } };
    const refused = await ask('both', 'post', '/v1/batches', inDefaults);
    assert.deepEqual(
      (refused.body as { errors: { path: string }[] }).errors.map(({ path }) => path),
      ['defaults.parameters.scanType'],
    );
  });

  it('is shown with its limits, risk, role and the schema of its parameters', async () => {
    const { body } = await ask('responder', 'get', '/v1/operations').expect(200);
    const shown = (body as { value: Record<string, unknown>[] }).value;
    assert.deepEqual(
      shown.map(({ name, risk, isAllowed }) => [name, risk, isAllowed]),
      [
        ['initiateInvestigation', 'investigate', false],
        ['runAntiVirusScan', 'respond', true],
      ],
    );
    const { parameters, ...rest } = shown[1] ?? {};
    assert.deepEqual((parameters as { required: unknown }).required, ['scanType']);
    assert.deepEqual(rest, {
      name: 'runAntiVirusScan',
      title: 'Scan a machine with Microsoft Defender Antivirus',
      resultKind: 'machineAction',
      limits: [
        { calls: 100, windowSeconds: 60 },
        { calls: 1_500, windowSeconds: 3_600 },
      ],
      requiredRole: 'Machine.Scan',
      risk: 'respond',
      scope: 'respond',
      isAllowed: true,
    });
  });
});
