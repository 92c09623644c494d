import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keys } from '../../test-support/credentials.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { redisAway } from '../../test-support/items.ts';
import { listenToEvents } from '../../test-support/listen-to-events.ts';
import type { EventReader } from '../../test-support/listen-to-events.ts';
import { itAnswers503 } from '../../test-support/refusals.ts';

describe('GET /v1/events while Redis is away', () => {
  const intake = useIntake(redisAway);
  itAnswers503(intake, { method: 'get', path: '/v1/events' });
});

describe('GET /v1/events while as many listen as may', () => {
  const intake = useIntake(useEmbeddedRedis());
  const readers: EventReader[] = [];
  after(async () => {
    for (const reader of readers) await reader.close();
  });

  it('refuses the 201st listener, and takes another one when one has gone', async () => {
    const listen = async () => {
      const reader = await listenToEvents(intake.url, { 'X-API-Key': keys.reader });
      readers.push(reader);
      await reader.next('state');
    };
    for (let i = 0; i < 20; i += 1) await Promise.all(Array.from({ length: 10 }, listen));
    const refused = await intake.get('/v1/events');
    expectProblem(refused, 'too_many_listeners');
    assert.equal(refused.headers['retry-after'], '30');
    await readers.pop()?.close();
    // It has gone once the service has seen its connection close.
    for (;;) {
      const response = await fetch(`${intake.url}/v1/events`, { headers: { 'X-API-Key': keys.reader } });
      await response.body?.cancel();
      if (response.status === 200) return;
    }
  });
});
