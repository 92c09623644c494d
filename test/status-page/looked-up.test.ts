import assert from 'node:assert/strict';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item, machineId } from '@diq/intake-api/test-support/items.ts';
import { beginCall, loseAnswer } from '@diq/intake-api/test-support/worker-moves.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { seeAndJudge } from './support/see-and-judge.ts';
import { signInAs } from './support/sign-in-as.ts';
import { useBrowser } from './support/use-browser.ts';

describe('a request whose lost answer is looked up, on the status page', () => {
  const intake = useIntake(useEmbeddedRedis());
  const browser = useBrowser();

  it('is not shown as being called, in the numbers and where it is looked up', async () => {
    for (const number of [1, 2]) await intake.post('/v1/investigations', item(number)).expect(202);
    await beginCall(intake, machineId(2));
    await loseAnswer(intake, await beginCall(intake, machineId(1)));
    const { page } = await browser.open(intake.url, { bypassCSP: true });
    await signInAs(page, keys.reader);
    await page.locator('#looking-up', { hasText: /^1$/ }).waitFor();
    assert.equal(await page.locator('#dispatching').innerText(), '1');
    const field = page.getByLabel('Request id or machine id');
    const result = page.locator('#look-up-result');
    for (const [number, shown] of [
      [1, 'being looked up'],
      [2, 'being called'],
    ] as const) {
      await field.fill(machineId(number));
      await field.press('Enter');
      await result.getByText(machineId(number)).waitFor();
      assert.equal(await result.locator('.badge').innerText(), shown);
    }
    await seeAndJudge(page, 'looked-up');
  });
});
