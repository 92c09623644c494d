import assert from 'node:assert/strict';
import { operationNames, type OperationName } from '@diq/contracts/operations.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack, type Stack } from './support/stack.ts';

const sha1 = '87662bc3d60e4200ceaf7aae249d1c343f4b83c9';
const commands = [
  { type: 'RunScript', params: [{ key: 'ScriptName', value: 'collect.ps1' }] },
  { type: 'GetFile', params: [{ key: 'Path', value: 'C:\\Temp\\found.zip' }] },
];

/** What each operation is asked with, and what its machine action shows of it. */
const actions: Partial<Record<OperationName, { parameters?: object; type: string; shows?: object }>> = {
  runAntiVirusScan: {
    parameters: { scanType: 'Full' },
    type: 'RunAntiVirusScan',
    shows: { scope: 'Full' },
  },
  restrictCodeExecution: { type: 'RestrictCodeExecution' },
  unrestrictCodeExecution: { type: 'UnrestrictCodeExecution' },
  isolate: {
    parameters: { isolationType: 'Selective' },
    type: 'Isolate',
    shows: { scope: 'Selective' },
  },
  unisolate: { type: 'Unisolate' },
  collectInvestigationPackage: { type: 'CollectInvestigationPackage' },
  runLiveResponse: {
    parameters: { commands },
    type: 'LiveResponse',
    shows: { commands: commands.map((command) => ({ command })) },
  },
  stopAndQuarantineFile: {
    parameters: { sha1: sha1.toUpperCase() },
    type: 'StopAndQuarantineFile',
    shows: { relatedFileInfo: { fileIdentifier: sha1 } },
  },
  offboard: { type: 'Offboard' },
};
const tested = Object.keys(actions) as OperationName[];

describe('every machine action, by real processes', function () {
  this.timeout(90_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;

  before('start the stack', async () => {
    const env = { DEFENDER_OPERATIONS: tested.join(',') };
    stack = await startStack({ redisUrl: redis.url, limit: 5, windowMs: 2_000, workers: 1, env });
  });
  after(() => stack?.stop());

  it('is tested here', () => {
    assert.deepEqual(
      operationNames.filter((name) => !tested.includes(name)),
      ['initiateInvestigation', 'startInvestigation'],
    );
  });

  async function ask(operation: OperationName, machineId: string, parameters?: object) {
    const asked = { operation, machineId, comment: 'INC-1', ...(parameters && { parameters }) };
    const { status, body } = await stack.api.call('POST', '/v1/requests', asked);
    assert.equal(status, 202, JSON.stringify(body));
    return (body as { id: string }).id;
  }
  const untilOver = (id: string) =>
    waitFor(
      async () => {
        const document = await stack.api.findRequest(id);
        return document.status === 'queued' || document.status === 'dispatching' ? undefined : document;
      },
      { what: `request ${id} to end`, timeoutMs: 40_000 },
    );
  const actionsOf = async (machineId: string) =>
    (await stack.control.machineActions()).filter((action) => action.machineId === machineId);

  for (const operation of tested) {
    it(`is made as it was asked for, once for equal requests, and found again: ${operation}`, async () => {
      const { parameters, type, shows = {} } = actions[operation] ?? {};
      const [machineId = ''] = machineIds(1);
      await stack.control.addFault({
        target: 'start',
        when: { machineId },
        action: { kind: 'reset', when: 'after' },
      });
      const asked = [
        await ask(operation, machineId, parameters),
        await ask(operation, machineId, parameters),
      ];
      const ended = await Promise.all(asked.map(untilOver));
      const [action, ...others] = await actionsOf(machineId);
      assert.deepEqual(others, []);
      assert.deepEqual({ type: action?.type, ...pick(action, shows) }, { type, ...shows });
      assert.match(action?.requestorComment ?? '', /^INC-1 \[diq:[\w-]{10,40}\]$/);
      for (const document of ended) {
        assert.deepEqual(
          [document.status, document.operation, document.result?.kind, document.result?.id],
          ['started', operation, 'machineAction', action?.id],
        );
      }
    });
  }

  /** The members of a document that the other one names. */
  function pick(document: object = {}, wanted: object): object {
    return Object.fromEntries(Object.entries(document).filter(([name]) => name in wanted));
  }
});
