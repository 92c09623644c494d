import assert from 'node:assert/strict';
import axe from 'axe-core';
import type { Page } from 'playwright-core';

const screens = {
  phone: { width: 390, height: 844 },
  wall: { width: 1_920, height: 1_080 },
  desk: { width: 1_440, height: 900 },
};

/**
 * Asserts that nothing is cut off at the side, on a phone, a wall and a desk. With STATUS_PAGE_SHOTS naming a folder,
 * pictures of all are left there to be looked at, in the light and in the dark.
 */
export async function see(page: Page, name: string): Promise<void> {
  const folder = process.env['STATUS_PAGE_SHOTS'];
  for (const [screen, size] of Object.entries(screens)) {
    await page.setViewportSize(size);
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');
    assert.ok(width <= size.width, `${name} is ${width} px wide on a ${screen}`);
    if (folder === undefined) continue;
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${folder}/${name}-${screen}-${colorScheme}.png`, fullPage: true });
    }
  }
}

/** Besides, that axe finds nothing in the light and in the dark, for a page that was opened with `bypassCSP`. */
export async function seeAndJudge(page: Page, name: string): Promise<void> {
  await see(page, name);
  await page.emulateMedia({ colorScheme: 'light' });
  assert.deepEqual(await faultsOf(page), [], `${name}, light`);
  await page.emulateMedia({ colorScheme: 'dark' });
  // Colours are all that is another.
  assert.deepEqual(await faultsOf(page, ['color-contrast']), [], `${name}, dark`);
}

/** What axe finds with its usual rules, WCAG 2.2 AA and its own best practices among them, or with these alone. */
export async function faultsOf(page: Page, rules?: string[]): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async (runOnly) => {
    const inPage = globalThis as unknown as { axe: typeof axe };
    const { violations } = await inPage.axe.run(runOnly ? { runOnly } : {});
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
  }, rules);
}
