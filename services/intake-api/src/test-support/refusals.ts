import assert from 'node:assert/strict';
import type { Test } from 'supertest';
import type { ErrorCode } from '@diq/contracts/error-catalogue.ts';
import { keys } from './credentials.ts';
import { expectProblem } from './expect-problem.ts';
import type { IntakeUnderTest } from './intake-under-test.ts';

/** One operation: how to ask for it, with which scope. */
export interface Operation {
  method: 'get' | 'post' | 'patch' | 'delete';
  path: string;
  body?: object;
}

/** What every route answers to somebody it does not know. */
export function itRefusesStrangers(intake: IntakeUnderTest, operation: Operation): void {
  const refused: [string, Record<string, string>][] = [
    ['no credential', {}],
    ['an unknown key', { 'X-API-Key': 'not-a-key' }],
    ['an unknown bearer token', { Authorization: 'Bearer not-a-key' }],
    ['another scheme', { Authorization: `Basic ${keys.playbook}` }],
    ['two different keys', { Authorization: `Bearer ${keys.playbook}`, 'X-API-Key': keys.operator }],
    ['a key followed by more', { 'X-API-Key': `${keys.playbook}x` }],
    ['a key longer than 512 characters', { 'X-API-Key': 'k'.repeat(513) }],
  ];
  for (const [presented, headers] of refused) {
    it(`refuses ${presented} with 401 and a challenge`, async () => {
      const response = await ask(intake, operation).set(headers);
      const problem = expectProblem(response, 'unauthenticated');
      assert.match(response.headers['www-authenticate'] ?? '', /^Bearer realm=/);
      assert.equal(JSON.stringify(problem).includes(keys.playbook), false);
    });
  }
}

/** What every route answers to a known caller that may not do this. */
export function itRefusesTheScopeOf(
  intake: IntakeUnderTest,
  key: keyof typeof keys,
  operation: Operation,
): void {
  it(`refuses a key with the scope of the ${key} only`, async () => {
    const response = await ask(intake, operation).set('Authorization', `Bearer ${keys[key]}`);
    const problem = expectProblem(response, 'forbidden');
    const lacking = { reader: 'submit', submitter: 'read', playbook: 'admin', operator: '' }[key];
    assert.match(problem.detail ?? '', new RegExp(`'${lacking}'`));
    assert.match(response.headers['www-authenticate'] ?? '', /error="insufficient_scope"/);
  });
}

/** What every route answers to methods that it does not offer. */
export function itRefusesOtherMethods(intake: IntakeUnderTest, path: string, allow: string): void {
  for (const method of ['get', 'post', 'put', 'patch', 'delete', 'options'] as const) {
    if (allow.toLowerCase().split(', ').includes(method)) continue;
    it(`refuses ${method.toUpperCase()} and names what is allowed`, async () => {
      const response = await intake.anonymously()[method](path).set('X-API-Key', keys.operator);
      expectProblem(response, 'method_not_allowed');
      assert.equal(response.headers['allow'], allow);
    });
  }
}

/** What every route that needs Redis answers without it. The intake must have been given an address of nobody. */
export function itAnswers503(intake: IntakeUnderTest, operation: Operation): void {
  it('answers 503 within 2 s while Redis is away and says when to come back', async () => {
    const startedAtMs = performance.now();
    const response = await ask(intake, operation).set('X-API-Key', keys.operator);
    assert.ok(performance.now() - startedAtMs < 2_000);
    expectProblem(response, 'redis_unavailable');
    assert.equal(response.headers['retry-after'], '5');
  });
}

/** What every route with an id in its path answers for ids that name nothing. */
export function itKnowsNo(
  intake: IntakeUnderTest,
  code: ErrorCode,
  pathOf: (id: string) => string,
  { method = 'get', body }: Partial<Operation> = {},
): void {
  const unknown: [string, string][] = [
    ['an id that was never given out', '01930000-0000-7000-8000-000000000000'],
    ['an id of another form', 'abc'],
    ['an id with more behind it', '01930000-0000-7000-8000-000000000000.'],
    ['an id with other characters', '~_~'],
    ['an id far too long', 'a'.repeat(5_000)],
  ];
  for (const [name, id] of unknown) {
    it(`answers 404 for ${name}`, async () => {
      const operation = { method, path: pathOf(id), ...(body ? { body } : {}) };
      expectProblem(await ask(intake, operation).set('X-API-Key', keys.operator), code);
    });
  }
}

function ask(intake: IntakeUnderTest, { method, path, body }: Operation): Test {
  const asked = intake.anonymously()[method](path);
  return body ? asked.send(body) : asked;
}
