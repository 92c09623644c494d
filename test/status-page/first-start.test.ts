import { findFreePort } from '@diq/runtime/processes/free-port.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { machineIds, startStack } from '../end-to-end/support/stack.ts';
import type { Stack } from '../end-to-end/support/stack.ts';
import { see } from './support/see-and-judge.ts';
import { signInAs } from './support/sign-in-as.ts';
import { useBrowser } from './support/use-browser.ts';

/** What is wrong at the first start of a worker, and what the page says of it. */
const mistakes = {
  'a wrong client secret': {
    name: 'wrong-secret',
    env: async () => ({ AZURE_CLIENT_SECRET: 'not-the-secret' }),
    title: 'Stopped: action required',
    says: /gives no usable token\. Check tenant.* Last answer: AADSTS7000215\./,
  },
  'an Entra ID that cannot be reached': {
    name: 'no-entra',
    env: async () => ({ AZURE_AUTHORITY_HOST: `https://127.0.0.1:${await findFreePort()}` }),
    title: 'On hold: check the cause',
    says: /Entra ID cannot be reached.* Last answer: ECONNREFUSED\./,
  },
};

describe('the status page at the first start, with a worker and an empty Redis', function () {
  this.timeout(120_000);
  const redis = useEmbeddedRedis();
  const browser = useBrowser();
  let stack: Stack | undefined;
  afterEach(() => stack?.stop());

  for (const [mistake, { name, env, title, says }] of Object.entries(mistakes)) {
    it(`shows ${mistake} as that, with its code, and that calls go on once it is mended`, async () => {
      stack = await startStack({ redisUrl: redis.url, limit: 5, windowMs: 3_600_000, workers: 0 });
      const { page } = await browser.open(stack.api.origin, { bypassCSP: true });
      await signInAs(page, stack.secrets.apiKey);
      await stack.api.postBatch(machineIds(2));
      const mistaken = await stack.addWorker(await env());
      const notice = page.getByRole('region', { name: title });
      await notice.getByText(/because no access token can be obtained, until this succeeds/).waitFor();
      await notice.getByText(says).waitFor();
      await see(page, `first-start-${name}`);
      await mistaken.stop();
      await stack.addWorker();
      await stack.control.untilCalls(2);
      await notice.waitFor({ state: 'detached' });
    });
  }
});
