import assert from 'node:assert/strict';
import { request } from 'undici';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack, type Stack } from './support/stack.ts';

/** More than Defender runs at once, as the profile of a live response says. */
const sessions = 27;

describe('with FOLLOW_UP=off', function () {
  this.timeout(90_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;

  before('start the stack', async () => {
    stack = await startStack({
      redisUrl: redis.url,
      limit: sessions,
      windowMs: 1_000,
      workers: 2,
      env: {
        DEFENDER_OPERATION: 'runLiveResponse',
        DEFENDER_OPERATIONS: 'runLiveResponse,isolate,unisolate,collectInvestigationPackage',
      },
      workerEnv: { FOLLOW_UP: 'off', LOOK_BEFORE_CALL: 'off', QUOTA_COLD_START: 'open' },
      simulatorEnv: {
        SIMULATOR_ACTION_TIME: '1h',
        SIMULATOR_LIVE_RESPONSES_PER_MINUTE: '100',
        SIMULATOR_LIVE_SESSIONS: '100',
      },
    });
  });
  after(() => stack?.stop());

  async function submit(operation: string, machineId: string, parameters?: object): Promise<string> {
    const asked = { operation, machineId, comment: operation, ...(parameters && { parameters }) };
    const { status, body } = await stack.api.call('POST', '/v1/requests', asked);
    assert.equal(status, 202, JSON.stringify(body));
    return (body as { id: string }).id;
  }
  const startedOf = (id: string) =>
    waitFor(
      async () => {
        const found = await stack.api.findRequest(id);
        return found.status === 'started' ? found : undefined;
      },
      { what: `${id} to be started`, timeoutMs: 60_000 },
    );

  it('a contrary action goes after the answer to the one before, which runs still', async () => {
    const [machineId = ''] = machineIds(1);
    const ids = [
      await submit('isolate', machineId, { isolationType: 'Full' }),
      await submit('unisolate', machineId),
    ];
    for (const id of ids) await startedOf(id);
    const { sequences, overtakings } = await stack.control.actionJudgement();
    const types = sequences.find((one) => one.machineId === machineId)?.actions.map(({ type }) => type);
    assert.deepEqual(types, ['Isolate', 'Unisolate']);
    assert.equal(overtakings.length, 1, 'the isolation ran when the release was called');
  });

  it('a live response takes room until the answer to its call: more of them run than the profile lets run', async () => {
    const commands = [{ type: 'GetFile', params: [{ key: 'Path', value: 'C:\\Temp\\a.zip' }] }];
    const ids = await Promise.all(
      machineIds(sessions).map((machineId) => submit('runLiveResponse', machineId, { commands })),
    );
    for (const id of ids) {
      const { result } = await startedOf(id);
      assert.deepEqual(Object.keys(result ?? {}).toSorted(), ['id', 'kind']);
    }
    const { mostAtOnce } = await stack.control.actionJudgement();
    assert.equal(mostAtOnce['LiveResponse'], sessions);
  });

  it('links are to be had all the same: Defender is asked whether the action is complete', async () => {
    const [machineId = ''] = machineIds(1);
    const id = await submit('collectInvestigationPackage', machineId);
    const { result } = await startedOf(id);
    const follow = async () => {
      const answer = await request(`${stack.api.origin}/v1/requests/${id}/package`, {
        headers: { authorization: `Bearer ${stack.secrets.apiKey}` },
      });
      await answer.body.dump();
      return { status: answer.statusCode, location: answer.headers['location'] };
    };
    assert.equal((await follow()).status, 409);
    await stack.control.endAction(result?.id ?? '');
    const answer = await waitFor(
      async () => {
        const got = await follow();
        return got.status === 302 ? got : undefined;
      },
      { what: 'the link', timeoutMs: 60_000, intervalMs: 1_000 },
    );
    assert.match(String(answer.location), /\/downloads\//);
  });

  it('nothing is read to follow results', async () => {
    const reads = await stack.control.allReads();
    assert.deepEqual(
      reads.filter(({ read }) => read.startsWith('list')),
      [],
    );
  });
});
