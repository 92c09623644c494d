import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { lackTool } from '@diq/testing/require-tools.ts';

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

/** Where Debian's packages put it. The one without windows is the same browser, for a third of the CPU time. */
const executablePath = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find((path) =>
  existsSync(path),
);
/** Only a page that fails takes so long, or a machine that is busy. */
const waitAtMostMs = 20_000;
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

let shared: Promise<Browser> | undefined;

/**
 * Call inside a `describe`. All suites of a run share one browser; each page has a profile of its own. Without Debian's
 * chromium its tests are skipped, which the titles say; with REQUIRE_TOOLS=1 they fail instead.
 */
export function useBrowser(): SuiteBrowser {
  let browser: Browser | undefined;
  const contexts: BrowserContext[] = [];

  before('open chromium', async function () {
    if (executablePath !== undefined) {
      shared ??= launchUntilEndOfRun(this, executablePath);
      browser = await shared;
      return;
    }
    lackTool(this, 'chromium', 'neither chromium-headless-shell nor chromium in /usr/bin');
  });
  after('close the pages', async () => {
    await Promise.all(contexts.map((context) => context.close()));
  });

  return {
    async open(url, options = {}) {
      if (!browser) throw new Error('the browser is there from the before hooks on');
      const context = await browser.newContext({ locale: 'en-GB', ...options });
      contexts.push(context);
      const page = await context.newPage();
      page.setDefaultTimeout(waitAtMostMs);
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

async function launchUntilEndOfRun(context: Mocha.Context, executablePath: string): Promise<Browser> {
  let root = context.test?.parent;
  while (root?.parent) root = root.parent;
  const browser = await chromium.launch({ executablePath, args });
  // Added while running, to the outermost suite: runs once, after the last test of all files.
  root?.afterAll('close chromium', () => browser.close());
  return browser;
}
