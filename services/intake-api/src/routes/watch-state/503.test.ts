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

const readers: EventReader[] = [];
async function listen(url: string, key: string): Promise<void> {
  const reader = await listenToEvents(url, { 'X-API-Key': key });
  readers.push(reader);
  await reader.next('state');
}
async function closeAll(): Promise<void> {
  for (const reader of readers.splice(0)) await reader.close();
}

describe('GET /v1/events while as many listen as may', () => {
  // Nobody is told apart: any of them may be anybody's.
  const intake = useIntake(useEmbeddedRedis(), { INTAKE_AUTH: 'off' });
  after(closeAll);

  it('refuses the 201st listener, and takes another one when one has gone', async () => {
    for (let i = 0; i < 20; i += 1) {
      await Promise.all(Array.from({ length: 10 }, () => listen(intake.url, keys.reader)));
    }
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

describe('GET /v1/events while as many of one caller listen as may', () => {
  const intake = useIntake(useEmbeddedRedis());
  after(closeAll);

  it('refuses the 21st listener of that caller, and lets another caller listen', async () => {
    await Promise.all(Array.from({ length: 20 }, () => listen(intake.url, keys.reader)));
    const refused = await intake.as('reader', 'get', '/v1/events');
    assert.match(
      expectProblem(refused, 'too_many_listeners').detail ?? '',
      /^Too many of your event streams are open/,
    );
    assert.equal(refused.headers['retry-after'], '30');
    await listen(intake.url, keys.playbook);
  });
});
