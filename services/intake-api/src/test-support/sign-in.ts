import assert from 'node:assert/strict';
import { keys as known, type keys } from './credentials.ts';
import type { IntakeUnderTest } from './intake-under-test.ts';

/** Signs in as a page of the service would, and returns what the browser sends from then on. */
export async function signIn(intake: IntakeUnderTest, key: keyof typeof keys): Promise<string> {
  const response = await intake
    .anonymously()
    .post('/session')
    .set('Origin', intake.url)
    .send({ apiKey: known[key] })
    .expect(204);
  const [cookie = ''] = (response.headers['set-cookie'] as unknown as string[]) ?? [];
  const pair = cookie.split(';')[0];
  assert.ok(pair);
  return pair;
}
