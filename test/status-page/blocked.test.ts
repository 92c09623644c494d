import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { keySpace as keySpaceOf } from '@diq/contracts/operations.ts';
import { sha256 } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item, machineId } from '@diq/intake-api/test-support/items.ts';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { seeAndJudge } from './support/see-and-judge.ts';
import { signInAs } from './support/sign-in-as.ts';
import { useBrowser } from './support/use-browser.ts';

describe('requests that wait for something else than a slot, on the status page', () => {
  const redis = useEmbeddedRedis();
  const tenantId = randomUUID();
  const intake = useIntake(redis, {
    AZURE_TENANT_ID: tenantId,
    DEFENDER_OPERATION: 'runLiveResponse',
    INTAKE_API_KEYS: `responder:respond+read:${sha256('responder')}`,
  });
  const browser = useBrowser();

  it('say so in words, in the numbers, in line and where they are looked up', async () => {
    const commands = [{ type: 'RunScript', params: [{ key: 'ScriptName', value: 'a.ps1' }] }];
    for (const number of [1, 2]) {
      const asked = intake.anonymously().post('/v1/requests').set('X-API-Key', 'responder');
      await asked.send(item(number, { parameters: { commands } })).expect(202);
    }
    const keys = storeKeys(keySpaceOf({ tenantId, operation: 'runLiveResponse' }));
    const taskId = (await redis.client.zrange(keys.jobOrder, 0, '0'))[0] ?? assert.fail();
    const offline = (await redis.client.hget(keys.task(taskId), 'machine')) ?? assert.fail();
    await redis.client.zadd(keys.offline, Date.now(), taskId);
    await redis.client.hset(keys.task(taskId), 'offlineSince', Date.now());
    await redis.client.zrem(keys.jobOrder, taskId);
    const running = Array.from({ length: 25 }, (_, i) => [Date.now(), `task-${i}`]).flat();
    await redis.client.zadd(keys.results, ...running);

    await redis.client.hincrby(keys.counts, 'saved:machine_unknown', 2);
    const { page } = await browser.open(intake.url, { bypassCSP: true });
    await signInAs(page, 'responder');
    const queue = page.locator('#queue');
    await queue.getByText('Deferred: machine offline').waitFor();
    await queue.getByText('25 of 25 at once').waitFor();
    await queue.getByText('2, Defender does not know the machine').waitFor();
    await page.locator('#next').getByText('Defender runs 25 of these, and 25 at once').waitFor();
    const field = page.getByLabel('Request id or machine id');
    const result = page.locator('#look-up-result');
    for (const [machine, said] of [
      [offline, 'Defender gets no reports of this machine'],
      [offline === machineId(1) ? machineId(2) : machineId(1), 'Defender runs 25 of these'],
    ] as const) {
      await field.fill(machine);
      await field.press('Enter');
      await result.getByText(machine).waitFor();
      await result.getByText(said).waitFor();
    }
    await seeAndJudge(page, 'blocked');
  });
});
