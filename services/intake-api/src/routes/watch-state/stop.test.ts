import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keys } from '../../test-support/credentials.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { listenToEvents } from '../../test-support/listen-to-events.ts';
import type { EventReader } from '../../test-support/listen-to-events.ts';

describe('somebody who listens while the intake is stopped', () => {
  let reader: EventReader | undefined;
  let log: readonly Record<string, unknown>[] = [];

  describe('and was listening', () => {
    const intake = useIntake(useEmbeddedRedis());

    it('is told the state', async () => {
      reader = await listenToEvents(intake.url, { 'X-API-Key': keys.reader });
      await reader.next('state');
      log = intake.log;
    });
  });

  describe('after it was stopped', () => {
    it('has seen the stream end in order, and did not hold up the stop', async () => {
      assert.ok(reader, 'it was listening');
      await reader.ended();
      const said = log.map(({ msg }) => msg);
      assert.deepEqual([said.includes('closed'), said.includes('closing timed out')], [true, false]);
    });
  });
});
