import assert from 'node:assert/strict';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { requireRedisServer, startRedisServer } from '@diq/testing/redis-process.ts';
import type { RedisServer } from '@diq/testing/redis-process.ts';
import { seeAndJudge } from './support/see-and-judge.ts';
import { signInAs } from './support/sign-in-as.ts';
import { useBrowser } from './support/use-browser.ts';

describe('the status page while Redis is away', () => {
  let server: RedisServer | undefined;
  const redis = {
    get url() {
      return server?.url ?? '';
    },
  };
  before('look for redis-server', requireRedisServer);
  before('start Redis', async () => {
    server = await startRedisServer();
  });
  after('stop Redis', () => server?.stop());
  const intake = useIntake(redis, { DEFENDER_CALLS_PER_WINDOW: '1' });
  const browser = useBrowser();

  it('says as of when it is, counts nothing down, is grey, and is well again with Redis', async () => {
    await intake.ledger.spend({ callId: 'call', taskId: 'task', machineId: 'machine' });
    const { page } = await browser.open(intake.url, { bypassCSP: true });
    await signInAs(page, keys.reader);
    await page.locator('#next-slot').waitFor();
    await server?.kill('SIGSTOP');
    try {
      await page.getByRole('heading', { name: /^As of \d\d:\d\d:\d\d UTC: / }).waitFor({ timeout: 20_000 });
      assert.match(await page.title(), /^Not current: /);
      assert.equal(await page.getByRole('timer').count(), 0);
      const filter = await page.evaluate<string>("getComputedStyle(document.querySelector('.state')).filter");
      assert.equal(filter, 'grayscale(1)');
      const axis = await page.locator('.axis').innerText();
      assert.match(axis, /as of \d\d:\d\d UTC$/);
      await seeAndJudge(page, 'stale');
    } finally {
      await server?.kill('SIGCONT');
    }
    await page.locator('#next-slot').waitFor({ timeout: 20_000 });
    assert.equal(await page.title(), 'Investigation queue');
    assert.equal(await page.getByText(/^As of/).count(), 0);
  });
});
