import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { generatedFiles } from '../../examples/integrations/source/generated.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { startStack, type Stack } from '../end-to-end/support/stack.ts';
import { startProxy, type ScriptedProxy } from './support/scripted-proxy.ts';
import type { Service } from './support/service.ts';
import { describeCortex } from './cortex.ts';
import { describeLogicApps } from './logic-apps.ts';
import { describeRecipes } from './recipes.ts';
import { describeSentinel } from './sentinel.ts';
import { describeXsoar } from './xsoar.ts';

describe('generated files of the integrations', () => {
  it('are what their sources make: run "npm run integrations" after a change', async () => {
    for (const { url, text } of await generatedFiles()) {
      assert.equal(await readFile(url, 'utf8'), text, url.pathname);
    }
  });
});

/** Each integration is run against one intake, one worker and the simulator, as processes of their own. */
describe('ready-made integrations', function () {
  this.timeout(60_000);
  const redis = useEmbeddedRedis();
  let stack: Stack | undefined;
  let proxy: ScriptedProxy | undefined;

  before('start the service', async () => {
    stack = await startStack({
      redisUrl: redis.url,
      limit: 100,
      windowMs: 60_000,
      workers: 1,
      env: { DEFENDER_OPERATIONS: 'runAntiVirusScan' },
      workerEnv: { FOLLOW_UP_EVERY: '1s' },
      simulatorEnv: { SIMULATOR_INVESTIGATION_TIME: '300ms' },
    });
    proxy = await startProxy(stack.api.origin);
  });
  after('stop the service', async () => {
    await proxy?.close();
    await stack?.stop();
  });

  const service: Service = {
    get url() {
      return opened(proxy).url;
    },
    get key() {
      return opened(stack).secrets.apiKey;
    },
    get api() {
      return opened(stack).api;
    },
    get control() {
      return opened(stack).control;
    },
    answerFirst: (...answers) => opened(proxy).answerFirst(...answers),
    async whilePaused(act) {
      const { api } = opened(stack);
      await api.call('POST', '/v1/queue/pause', { reason: 'a test' });
      try {
        return await act();
      } finally {
        await api.call('POST', '/v1/queue/resume', {});
      }
    },
  };

  describeXsoar(service);
  describeCortex(service);
  describeLogicApps(service);
  describeSentinel(service);
  describeRecipes(service);
});

function opened<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('the service is there from the before hooks on');
  return value;
}
