import assert from 'node:assert/strict';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item } from '@diq/intake-api/test-support/items.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { seeAndJudge } from './support/see-and-judge.ts';
import { startSwallowingProxy } from './support/swallowing-proxy.ts';
import type { SwallowingProxy } from './support/swallowing-proxy.ts';
import { useBrowser } from './support/use-browser.ts';

describe('a status page whose connection is dead on the way and is not closed', () => {
  const intake = useIntake(useEmbeddedRedis(), { INTAKE_AUTH: 'off' });
  const browser = useBrowser();
  let proxy: SwallowingProxy | undefined;
  before('start the proxy', async () => {
    proxy = await startSwallowingProxy(Number(new URL(intake.url).port));
  });
  after('stop the proxy', () => proxy?.close());

  it('stays live while heartbeats come and nothing changes', async () => {
    const { page } = await browser.open('about:blank');
    await page.clock.install();
    await page.goto(proxy?.url ?? '');
    await page.locator('#queued', { hasText: /^0$/ }).waitFor();
    const heard = page.evaluate(`new Promise((resolve) =>
      new EventSource('v1/events').addEventListener('heartbeat', () => resolve(), { once: true }))`);
    await page.clock.fastForward(30_000);
    await heard;
    await page.clock.fastForward(30_000);
    assert.equal(await page.getByText(/^As of/).count(), 0);
  });

  it('is grey and says as of which second its figures are, then connects anew and shows what has changed', async () => {
    const { page, requests } = await browser.open('about:blank', { bypassCSP: true });
    await page.clock.install();
    await page.goto(proxy?.url ?? '');
    const streams = () => requests.filter((url) => url.endsWith('/v1/events')).length;
    await page.locator('#queued', { hasText: /^0$/ }).waitFor();
    proxy?.swallow();
    await intake.post('/v1/investigations', item(1)).expect(202);
    await page.clock.fastForward(30_000);
    assert.equal(await page.getByText(/^As of/).count(), 0, 'one heartbeat that is late is no trouble');
    await page.clock.fastForward(6_000);
    await page
      .getByRole('heading', { name: /^As of \d\d:\d\d:\d\d UTC: no data from the service/ })
      .waitFor();
    const filter = await page.evaluate<string>("getComputedStyle(document.querySelector('.state')).filter");
    assert.equal(filter, 'grayscale(1)');
    assert.equal(await page.getByRole('timer').filter({ hasText: /\d/ }).count(), 0);
    assert.match(await page.title(), /^Not current: /);
    await seeAndJudge(page, 'silent-stream');
    assert.ok(streams() > 1, 'it has connected anew');

    proxy?.passOn();
    const queued = page.locator('#queued', { hasText: /^1$/ });
    // The browser has other connections at hand that are dead too, and tries them first.
    for (let i = 0; i < 8 && (await queued.count()) === 0; i += 1) {
      await page.clock.fastForward(11_000);
      await queued.waitFor({ timeout: 1_000 }).catch(() => {});
    }
    await queued.waitFor();
    assert.equal(await page.getByText(/^As of/).count(), 0);
  });
});
