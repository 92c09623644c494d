import { gzipSync } from 'node:zlib';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

describe('POST /v1/investigations with something other than JSON', () => {
  const intake = useIntake(useEmbeddedRedis());
  const acceptable = JSON.stringify(item(1));

  for (const contentType of ['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'json']) {
    it(`refuses ${contentType}`, async () => {
      const response = await intake.postRaw('/v1/investigations', acceptable, {
        'Content-Type': contentType,
      });
      expectProblem(response, 'unsupported_media_type');
    });
  }

  it('refuses a charset and an encoding that it cannot read', async () => {
    for (const headers of [
      { 'Content-Type': 'application/json; charset=iso-8859-1' },
      { 'Content-Encoding': 'compress' },
    ]) {
      expectProblem(
        await intake.postRaw('/v1/investigations', acceptable, headers),
        'unsupported_media_type',
      );
    }
  });

  it('takes JSON with its charset named, and compressed', async () => {
    const charset = { 'Content-Type': 'application/json; charset=utf-8' };
    await intake.postRaw('/v1/investigations', acceptable, charset).expect(202);
    await intake
      .postRaw('/v1/investigations', gzipSync(acceptable), { 'Content-Encoding': 'gzip' })
      .expect(202);
  });
});
