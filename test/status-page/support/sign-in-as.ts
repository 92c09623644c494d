import type { Page } from 'playwright-core';

/** Signs in with this key, and waits until the state is there. */
export async function signInAs(page: Page, apiKey: string): Promise<void> {
  await page.getByLabel('API key').fill(apiKey);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Quota' }).waitFor();
}
