import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack, type Stack } from './support/stack.ts';

const limit = 2;

describe('live responses, of which Defender runs only so many at once, with a machine that is offline', function () {
  this.timeout(90_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;

  before('start the stack', async () => {
    stack = await startStack({
      redisUrl: redis.url,
      limit,
      windowMs: 2_000,
      workers: 2,
      env: { DEFENDER_OPERATION: 'runLiveResponse', DEFENDER_OPERATIONS: 'runLiveResponse' },
      workerEnv: { DEFENDER_READ_SHARE: '1', QUOTA_COLD_START: 'open' },
      simulatorEnv: { SIMULATOR_READS_PER_MINUTE: '10000', SIMULATOR_READS_PER_HOUR: '10000' },
    });
  });
  after(() => stack?.stop());

  it('go to the others first, say why the one waits, and go to it when nothing else waits', async () => {
    const commands = [{ type: 'RunScript', params: [{ key: 'ScriptName', value: 'a.ps1' }] }];
    const post = async (ids: readonly string[]) => {
      const requests = ids.map((machineId) => ({ machineId, comment: 'why', parameters: { commands } }));
      const asked = { operation: 'runLiveResponse', requests };
      const { status, body } = await stack.api.call('POST', '/v1/batches', asked);
      assert.equal(status, 202, JSON.stringify(body));
      return (body as { items: { id: string }[] }).items.map(({ id }) => id);
    };
    const [offline = '', ...others] = machineIds(1 + 2 * limit);
    await stack.control.addMachine({ id: offline, healthStatus: 'Inactive' });
    // What comes while a slot is free is called at once, without a look.
    const first = await post(machineIds(limit));
    await untilStarted(first);
    const [waiting = '', ...ids] = await post([offline, ...others]);
    const { blockedBy, expectedStartAt } = await waitFor(
      async () => {
        const found = (await stack.api.findRequest(waiting)) as Waiting;
        return found.blockedBy === undefined ? undefined : found;
      },
      { what: 'the look at the machine', timeoutMs: 30_000 },
    );
    assert.deepEqual([blockedBy?.reason, expectedStartAt], ['machine_offline', undefined]);
    await untilStarted([...ids, waiting]);
    const { sequences } = await stack.control.actionJudgement();
    assert.equal(sequences.find(({ machineId }) => machineId === offline)?.actions.length, 1);
    const calledAt = async (id: string) => Date.parse((await stack.api.findRequest(id)).dispatchedAt ?? '');
    const last = await calledAt(waiting);
    for (const id of ids) assert.ok((await calledAt(id)) <= last, `${id} before the one that is offline`);
  });

  interface Waiting {
    blockedBy?: { reason: string };
    expectedStartAt?: string;
  }

  async function untilStarted(ids: readonly string[]): Promise<void> {
    for (const id of ids)
      await waitFor(async () => (await stack.api.findRequest(id)).status === 'started', {
        what: `${id} to be started`,
        timeoutMs: 60_000,
      });
  }
});
