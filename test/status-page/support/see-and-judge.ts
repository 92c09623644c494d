import assert from 'node:assert/strict';
import axe from 'axe-core';
import type { Page } from 'playwright-core';

/**
 * Asserts that axe finds nothing, in the light and in the dark, for a page that was opened with `bypassCSP`. With
 * STATUS_PAGE_SHOTS naming a folder, pictures of both are left there to be looked at.
 */
export async function seeAndJudge(page: Page, name: string): Promise<void> {
  const folder = process.env['STATUS_PAGE_SHOTS'];
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    if (folder !== undefined) await page.screenshot({ path: `${folder}/${name}-${colorScheme}.png` });
    assert.deepEqual(await faultsOf(page), [], colorScheme);
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
