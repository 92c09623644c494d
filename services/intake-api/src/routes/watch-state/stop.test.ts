import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keys } from '../../test-support/credentials.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { listenToEvents } from '../../test-support/listen-to-events.ts';
import type { EventReader } from '../../test-support/listen-to-events.ts';

describe('somebody who listens while the intake is stopped', () => {
  let reader: EventReader | undefined;

  describe('and was listening', () => {
    const intake = useIntake(useEmbeddedRedis());

    it('is told the state', async () => {
      reader = await listenToEvents(intake.url, { 'X-API-Key': keys.reader });
      await reader.next('state');
    });
  });

  describe('after it was stopped', () => {
    it('has seen the stream end in order, and did not hold up the stop', async () => {
      await reader?.ended();
    });
  });
});
