import assert from 'node:assert/strict';
import axe from 'axe-core';
import type { Page } from 'playwright-core';

const screens = { desk: { width: 1_440, height: 900 }, phone: { width: 390, height: 844 } };

/**
 * Asserts that axe finds nothing and that nothing is cut off at the side, on a desk and on a phone, in the light and in the
 * dark, for a page that was opened with `bypassCSP`. With STATUS_PAGE_SHOTS naming a folder, pictures of all four are left
 * there to be looked at.
 */
export async function seeAndJudge(page: Page, name: string): Promise<void> {
  const folder = process.env['STATUS_PAGE_SHOTS'];
  for (const [screen, size] of Object.entries(screens)) {
    await page.setViewportSize(size);
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      const file = `${name}-${screen}-${colorScheme}`;
      if (folder !== undefined) await page.screenshot({ path: `${folder}/${file}.png` });
      assert.deepEqual(await faultsOf(page), [], file);
    }
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');
    assert.ok(width <= size.width, `${name} is ${width} px wide on ${screen}`);
  }
}

/** What axe finds with its usual rules, WCAG 2.2 AA and its own best practices among them. */
export async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const inPage = globalThis as unknown as { axe: typeof axe };
    const { violations } = await inPage.axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
  });
}
