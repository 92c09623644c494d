import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { skipBecause } from '@diq/testing/skip-because.ts';

/** A page in a browser of its own profile, and what went wrong in it. */
export interface WatchedPage {
  page: Page;
  /** What the page wrote to its console as an error or a warning, and what it threw. */
  complaints: string[];
  /** Every address it asked. */
  requests: string[];
}

export interface SuiteBrowser {
  /** Closed with the suite. */
  open(url: string, options?: BrowserContextOptions): Promise<WatchedPage>;
}

/** Where Debian's package puts it. */
const executablePath = '/usr/bin/chromium';
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/**
 * Call inside a `describe`. Without Debian's chromium its tests are skipped, which the titles say; with
 * REQUIRE_CHROMIUM=1 they fail instead.
 */
export function useBrowser(): SuiteBrowser {
  let browser: Browser | undefined;

  before('open chromium', async function () {
    if (existsSync(executablePath)) {
      browser = await chromium.launch({ executablePath, args });
      return;
    }
    const reason = `no ${executablePath}`;
    if (process.env['REQUIRE_CHROMIUM'] === '1') throw new Error(reason);
    skipBecause(this, reason);
  });
  after('close chromium', async () => {
    await browser?.close();
  });

  return {
    async open(url, options = {}) {
      if (!browser) throw new Error('the browser is there from the before hooks on');
      const context = await browser.newContext({ locale: 'en-GB', ...options });
      const page = await context.newPage();
      page.setDefaultTimeout(8_000);
      const watched: WatchedPage = { page, complaints: [], requests: [] };
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) watched.complaints.push(message.text());
      });
      page.on('pageerror', (error) => watched.complaints.push(String(error)));
      page.on('request', (request) => watched.requests.push(request.url()));
      await page.goto(url);
      return watched;
    },
  };
}
