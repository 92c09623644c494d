import assert from 'node:assert/strict';
import request from 'supertest';
import { keys, sha256 } from './credentials.ts';
import type { IntakeUnderTest } from './intake-under-test.ts';

export const doorTenantId = '0a1b2c3d-0000-4000-8000-0000000000d0';

/** The settings of an intake with an open front door: several operations of one tenant, and a key that may ask for all. */
export const doorSettings = {
  FRONT_DOOR: 'on',
  AZURE_TENANT_ID: doorTenantId,
  DEFENDER_OPERATION: 'startInvestigation',
  DEFENDER_OPERATIONS: 'initiateInvestigation,isolate,unisolate,runAntiVirusScan,runLiveResponse',
  INTAKE_API_KEYS: [
    `soar:submit+respond+read:${sha256(keys.playbook)}`,
    `other:submit+respond+read:${sha256(keys.operator)}`,
    `submitter:submit:${sha256(keys.submitter)}`,
    `reader:read:${sha256(keys.reader)}`,
    `elsewhere:admin:${sha256(keys.elsewhere)}:elsewhere`,
  ].join(','),
};

/** What connectors send to fetch a token. */
export function tokenForm(name: string, secret: string) {
  return { grant_type: 'client_credentials', client_id: name, client_secret: secret };
}

/** Fetches a token as connectors do; the version 1 form unless it says otherwise. */
export async function fetchToken(
  intake: Pick<IntakeUnderTest, 'url'>,
  name: string,
  secret: string,
  path = `/defender/${doorTenantId}/oauth2/token`,
): Promise<string> {
  const { body } = await request(intake.url)
    .post(path)
    .type('form')
    .send(tokenForm(name, secret))
    .expect(200);
  return (body as { access_token: string }).access_token;
}

export interface DefenderErrorBody {
  error: { code: string; message: string; target: string };
}

/** That an answer is an error as Defender writes them. */
export function expectDefenderError(
  response: { status: number; type: string; body: unknown },
  status: number,
  code: string,
): DefenderErrorBody['error'] {
  const { error } = response.body as DefenderErrorBody;
  assert.deepEqual([response.status, error.code], [status, code], JSON.stringify(response.body));
  assert.equal(response.type, 'application/json');
  assert.deepEqual(Object.keys(error), ['code', 'message', 'target']);
  return error;
}
