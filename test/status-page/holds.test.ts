import assert from 'node:assert/strict';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { seeAndJudge } from './support/see-and-judge.ts';
import { signInAs } from './support/sign-in-as.ts';
import { useBrowser } from './support/use-browser.ts';

const sizeOfTitle = "getComputedStyle(document.querySelector('.notice h2')).fontSize";

describe('a hold on the status page', () => {
  const intake = useIntake(useEmbeddedRedis());
  const browser = useBrowser();

  it('says in words and colour whether somebody must act, should look, or may wait', async () => {
    const { page } = await browser.open(intake.url, { bypassCSP: true });
    await signInAs(page, keys.reader);
    await page.emulateMedia({ colorScheme: 'light' });
    const colours = new Set<string>();
    const holds = [
      ['throttled', 'On hold: goes on by itself'],
      ['unreachable', 'On hold: check the cause'],
      ['no_token', 'Stopped: action required'],
    ] as const;
    for (const [i, [reason, title]] of holds.entries()) {
      await intake.ledger.hold(reason, (i + 1) * 600_000, { code: 'AADSTS7000215' });
      const notice = page.getByRole('region', { name: title });
      await notice.waitFor();
      const edge = 'getComputedStyle(document.querySelector(".notice"))';
      colours.add(await page.evaluate<string>(`${edge}.borderColor + ${edge}.borderStyle`));
      assert.equal(await page.evaluate(sizeOfTitle), '24px', title);
      await seeAndJudge(page, `hold-${reason}`);
    }
    assert.equal(colours.size, 3);
    await page.getByText('Last answer: AADSTS7000215.').waitFor();
  });
});

describe('a cold start on the status page', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis);
  const browser = useBrowser();

  it('is shown by what keeps it from ending, with its code, and without an end that nobody knows', async () => {
    await redis.flush();
    await intake.ledger.open();
    const { page } = await browser.open(intake.url, { bypassCSP: true });
    await signInAs(page, keys.reader);
    await page.getByRole('region', { name: 'On hold: goes on by itself' }).waitFor();
    await intake.ledger.noteRebuildFailure({ cause: 'no_token', code: 'AADSTS7000215' });
    const notice = page.getByRole('region', { name: 'Stopped: action required' });
    await notice.getByText(/no access token can be had, until that is over/).waitFor();
    await notice.getByText('Last answer: AADSTS7000215.').waitFor();
    await seeAndJudge(page, 'hold-cold-start-no-token');
    assert.equal(await intake.ledger.endColdStart(), 'ended');
    await notice.waitFor({ state: 'detached' });
  });
});
