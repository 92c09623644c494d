import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { operationNames, profileOf, type OperationName } from '@diq/contracts/operations/index.ts';
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

/** What the operations that have parameters are asked with. */
const parametersOf: Partial<Record<OperationName, object>> = {
  runAntiVirusScan: { scanType: 'Quick' },
  isolate: { isolationType: 'Full' },
  runLiveResponse: {
    commands: [{ type: 'GetFile', params: [{ key: 'Path', value: 'C:\\Temp\\found.zip' }] }],
  },
  stopAndQuarantineFile: { sha1: '87662bc3d60e4200ceaf7aae249d1c343f4b83c9' },
};

describe('every operation', () => {
  const scopes = { investigate: 'submit', respond: 'respond', irreversible: 'irreversible' } as const;
  const risks = Object.keys(scopes) as (keyof typeof scopes)[];
  const intake = useIntake(useEmbeddedRedis(), {
    DEFENDER_OPERATIONS: operationNames.join(','),
    INTAKE_API_KEYS: [
      ...risks.map((risk) => keyOf(risk, `${scopes[risk]}+read`)),
      keyOf('everything-else', 'submit+respond+read'),
    ].join(','),
  });

  for (const [index, operation] of operationNames.entries()) {
    const { risk } = profileOf(operation);
    it(`is asked for with the scope of its risk and no other: ${operation}`, async () => {
      const parameters = parametersOf[operation];
      const asked = { ...item(100 + index), operation, ...(parameters && { parameters }) };
      const post = (key: string) =>
        intake.anonymously().post('/v1/requests').set('X-API-Key', key).send(asked);
      for (const key of risks) {
        if (key !== risk) expectProblem(await post(key), 'forbidden');
        else assert.equal((await post(key).expect(202)).body.operation, operation);
      }
      if (risk === 'irreversible') expectProblem(await post('everything-else'), 'forbidden');
    });
  }
});
