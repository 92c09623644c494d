import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { keySpace } from '@diq/contracts/operations.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { item } from '@diq/intake-api/test-support/items.ts';
import {
  answerInTurn,
  answerStarted,
  answerStatus,
  openDefender,
  type Answer,
  type DefenderServer,
} from '@diq/worker/test-support/defender.ts';
import { openEntra, type Entra } from '@diq/worker/test-support/open-entra.ts';
import { openTestWorker, type TestWorker } from '@diq/worker/test-support/open-test-worker.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';

const statingQuotaOf = (calls: number) =>
  answerStatus(429, {}, `API calls quota exceeded! maximum allowed ${calls} per 01:00:00`, '429');

const byOthers = 'docs/runbook.md#throttledbyothers';

/** What Defender answers to one call after the other, and the cause reported for the last of them. */
const causes: readonly [cause: string, answers: readonly Answer[], detail: RegExp, runbook: string][] = [
  [
    'external: the quota that it states is not used up by our own calls',
    [answerStarted, statingQuotaOf(5)],
    /^Defender asked to wait: another program uses the quota of this application\. Find it\. Last answer: HTTP 429, 429\.$/,
    byOthers,
  ],
  [
    'own: the calls that it took from us use up the quota that it states',
    [answerStarted, answerStarted, statingQuotaOf(2)],
    /^Defender asked to wait after our own calls alone: the limit is set too high\. .* Last answer: HTTP 429, 429\.$/,
    'docs/runbook.md#throttledbyownuse',
  ],
  [
    'unclear: it states no quota, and nothing is known of it',
    [answerStatus(429, {}, 'later', 'Slow')],
    /^Defender asked to wait: another program uses the quota of this application, or the limit is set too high\. Last answer: HTTP 429, Slow\.$/,
    byOthers,
  ],
];

describe('the cause of a 429, from the answer of Defender to the answers of the intake', () => {
  const redis = useEmbeddedRedis();
  let entra: Entra;
  let defender: DefenderServer;
  let worker: TestWorker;
  before(async () => {
    entra = await openEntra();
  });
  beforeEach(async () => {
    defender = await openDefender();
  });
  afterEach(async () => {
    await worker?.close();
    await defender.close();
  });
  after(() => entra.close());

  for (const [cause, answers, detail, runbook] of causes) {
    describe(cause, () => {
      const tenantId = randomUUID();
      const intake = useIntake(redis, { AZURE_TENANT_ID: tenantId });

      it('stands in the hold of GET /v1/quota', async () => {
        worker = await openTestWorker({
          url: redis.url,
          keySpace: keySpace({ tenantId, operation: 'initiateInvestigation' }),
          defenderUrl: defender.url,
          createTokens: (onRequest) => entra.createProvider(onRequest),
          windowMs: 3_600_000,
        });
        defender.answer = answerInTurn(...answers);
        for (const n of answers.keys()) {
          await intake.post('/v1/investigations', item(n + 1)).expect(202);
          assert.equal(await worker.serveNext(), 'kept');
        }
        const { hold } = (await intake.get('/v1/quota').expect(200)).body as {
          hold: Record<string, string> | null;
        };
        assert.equal(hold?.['reason'], 'throttled');
        assert.match(hold['detail'] ?? '', detail);
        assert.equal(hold['runbook'], runbook);
      });
    });
  }
});
