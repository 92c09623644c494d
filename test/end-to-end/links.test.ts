import assert from 'node:assert/strict';
import { request } from 'undici';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack, type Stack } from './support/stack.ts';

const commands = [
  { type: 'RunScript', params: [{ key: 'ScriptName', value: 'collect.ps1' }] },
  { type: 'GetFile', params: [{ key: 'Path', value: 'C:\\Temp\\found.zip' }] },
];

describe('links to what machine actions brought, by real processes', function () {
  this.timeout(90_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;

  before('start the stack', async () => {
    const env = { DEFENDER_OPERATIONS: 'collectInvestigationPackage,runLiveResponse' };
    stack = await startStack({ redisUrl: redis.url, limit: 5, windowMs: 2_000, workers: 2, env });
  });
  after(() => stack?.stop());

  async function startOne(operation: string, parameters?: object): Promise<{ id: string; actionId: string }> {
    const [machineId = ''] = machineIds(1);
    const asked = { operation, machineId, comment: 'INC-1', ...(parameters && { parameters }) };
    const { status, body } = await stack.api.call('POST', '/v1/requests', asked);
    assert.equal(status, 202, JSON.stringify(body));
    const { id } = body as { id: string };
    const actionId = await waitFor(async () => (await stack.api.findRequest(id)).result?.id, {
      what: 'the call to be made',
      timeoutMs: 30_000,
    });
    return { id, actionId };
  }
  async function follow(path: string) {
    const answer = await request(`${stack.api.origin}${path}`, {
      headers: { authorization: `Bearer ${stack.secrets.apiKey}` },
    });
    const text = await answer.body.text();
    return {
      status: answer.statusCode,
      location: String(answer.headers['location'] ?? ''),
      retryAfter: Number(answer.headers['retry-after']),
      cache: answer.headers['cache-control'],
      code: text === '' ? undefined : (JSON.parse(text) as { code: string }).code,
    };
  }

  it('send callers to the package once it is there, and ask Defender once for all of them', async () => {
    const { id, actionId } = await startOne('collectInvestigationPackage');
    const path = `/v1/requests/${id}/package`;
    const early = await follow(path);
    assert.deepEqual([early.status, early.code], [409, 'result_not_ready']);

    await stack.control.endAction(actionId);
    const later = () =>
      waitFor(async () => ((await follow(path)).status === 409 ? undefined : follow(path)), {
        what: 'Defender to be asked anew',
        timeoutMs: 20_000,
      });
    const found = await later();
    assert.equal(found.status, 302);
    assert.match(found.location, /^https:\/\/.*\/downloads\/[\w-]+$/);
    assert.equal(found.cache, 'no-store');
    const again = await Promise.all([follow(path), follow(path), follow(path)]);
    assert.deepEqual(new Set(again.map(({ location }) => location)), new Set([found.location]));
    assert.equal((await stack.control.reads('getPackageUri')).length, 2);

    // The two of this minute are used up.
    const { id: other } = await startOne('collectInvestigationPackage');
    const refused = await follow(`/v1/requests/${other}/package`);
    assert.deepEqual([refused.status, refused.code], [503, 'link_unavailable']);
    assert.ok(refused.retryAfter >= 1 && refused.retryAfter <= 60, String(refused.retryAfter));
    assert.equal((await stack.control.reads('getPackageUri')).length, 2, 'Defender was not asked');
  });

  it('send callers to what each command brought', async () => {
    const { id, actionId } = await startOne('runLiveResponse', { commands });
    await stack.control.endAction(actionId);
    const [first, second] = [
      await follow(`/v1/requests/${id}/results/0`),
      await follow(`/v1/requests/${id}/results/1`),
    ];
    assert.deepEqual([first.status, second.status], [302, 302]);
    assert.notEqual(first.location, second.location);
    assert.equal((await follow(`/v1/requests/${id}/results/2`)).code, 'result_not_ready');
    assert.equal((await follow(`/v1/requests/${id}/results/x`)).code, 'result_not_found');
    assert.equal((await follow(`/v1/requests/${id}/package`)).code, 'result_not_found');
  });
});
