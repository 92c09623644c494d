import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Response } from 'supertest';
import { keys } from './credentials.ts';
import { expectProblem } from './expect-problem.ts';
import type { IntakeUnderTest } from './intake-under-test.ts';

const again = ['location', 'operation-location', 'retry-after', 'content-type'] as const;

/** A POST with an Idempotency-Key; without one given, with a key of its own. */
export function postOnce(intake: IntakeUnderTest, path: string, body: object, key: string = randomUUID()) {
  return intake.post(path, body).set('Idempotency-Key', key);
}

/** Asserts that a reply is an earlier one given again, to the letter. */
export function expectReplay(replay: Response, first: Response): void {
  assert.equal(replay.headers['idempotent-replayed'], 'true');
  assert.equal(first.headers['idempotent-replayed'], undefined);
  assert.equal(replay.status, first.status);
  assert.equal(replay.text, first.text);
  for (const name of again) assert.equal(replay.headers[name], first.headers[name], name);
}

/** What both POSTs do with a key. The body is made anew for each number, acceptable, and never twice the same. */
export function itReplays(intake: IntakeUnderTest, path: string, bodyFor: (number: number) => object): void {
  it('gives the first answer again for the same key and body, and records nothing more', async () => {
    const key = randomUUID();
    const first = await postOnce(intake, path, bodyFor(1), key).expect(202);
    const queued = await queuedRequests(intake);
    expectReplay(await postOnce(intake, path, bodyFor(1), key), first);
    expectReplay(await postOnce(intake, path, bodyFor(1), key), first);
    assert.equal(await queuedRequests(intake), queued);
  });

  it('takes a key of another caller, or none, for another request', async () => {
    const key = randomUUID();
    const first = await postOnce(intake, path, bodyFor(2), key).expect(202);
    const others = [
      await postOnce(intake, path, bodyFor(2), key).set('X-API-Key', keys.operator).expect(202),
      await intake.post(path, bodyFor(2)).expect(202),
    ];
    for (const { body, headers } of others) {
      assert.notEqual((body as { id: string }).id, (first.body as { id: string }).id);
      assert.equal(headers['idempotent-replayed'], undefined);
    }
  });

  it('keeps no refusal: the key is free for the corrected body', async () => {
    const key = randomUUID();
    expectProblem(await postOnce(intake, path, { nonsense: true }, key), 'invalid_request');
    await postOnce(intake, path, bodyFor(3), key).expect(202);
  });

  it('takes the longest key there may be', async () => {
    await postOnce(intake, path, bodyFor(4), `~ "${'k'.repeat(252)}`).expect(202);
  });
}

/** What both POSTs answer to a key that stands for another request. */
export function itRefusesReusedKeys(
  intake: IntakeUnderTest,
  path: string,
  bodyFor: (number: number) => object,
): void {
  it('refuses a key that was used with another body, and goes on answering the first', async () => {
    const key = randomUUID();
    const first = await postOnce(intake, path, bodyFor(1), key).expect(202);
    expectProblem(await postOnce(intake, path, bodyFor(2), key), 'idempotency_key_reused');
    expectReplay(await postOnce(intake, path, bodyFor(1), key), first);
  });

  it('refuses a key that was used with another query', async () => {
    const key = randomUUID();
    await postOnce(intake, path, bodyFor(3), key).expect(202);
    expectProblem(await postOnce(intake, `${path}?a=b`, bodyFor(3), key), 'idempotency_key_reused');
  });
}

/** What both POSTs answer to a key that is none. */
export function itRefusesUnusableKeys(intake: IntakeUnderTest, path: string, body: object): void {
  const unusable: [string, string][] = [
    ['an empty Idempotency-Key', ''],
    ['an Idempotency-Key of 256 characters', 'k'.repeat(256)],
    ['an Idempotency-Key outside of printable ASCII', 'schlüssel'],
    ['an Idempotency-Key with a control character', 'a\tb'],
  ];
  for (const [name, key] of unusable) {
    it(`refuses ${name}`, async () => {
      const problem = expectProblem(await postOnce(intake, path, body, key), 'invalid_request');
      assert.deepEqual(
        problem.errors?.map((fault) => fault.path),
        ['Idempotency-Key'],
      );
    });
  }
}

async function queuedRequests(intake: IntakeUnderTest): Promise<number> {
  const { body } = await intake.get('/v1/quota').expect(200);
  return (body as { queue: { queued: number } }).queue.queued;
}
