import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { callbackEnvironment } from '../../test-support/callback-environment.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import type { IntakeUnderTest } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

async function refusalOf(intake: IntakeUnderTest, callbackUrl: unknown): Promise<string> {
  const problem = expectProblem(
    await intake.post('/v1/investigations', item(1, { callbackUrl })),
    'invalid_request',
  );
  assert.deepEqual(
    problem.errors?.map(({ path }) => path),
    ['callbackUrl'],
  );
  return problem.errors?.[0]?.message ?? '';
}

describe('POST /v1/investigations with a callback that may not be made', () => {
  const redis = useEmbeddedRedis();

  describe('where callbacks are not set up', () => {
    const intake = useIntake(redis);

    it('is refused, whatever the URL', async () => {
      assert.match(await refusalOf(intake, 'https://soar.example/hook'), /not set up/);
    });
  });

  describe('where they are', () => {
    const intake = useIntake(redis, callbackEnvironment());

    for (const [url, expected] of [
      ['https://other.example/hook', /allowed here/],
      ['https://user:pass@soar.example/hook', /user name or password/],
      ['not a URL', /absolute https URL/],
      [`https://soar.example/${'x'.repeat(2_100)}`, /2048 characters/],
      [7, /string/],
    ] as const) {
      it(`is refused, naming the field: ${String(url).slice(0, 40)}`, async () => {
        assert.match(await refusalOf(intake, url), expected);
      });
    }
  });
});
