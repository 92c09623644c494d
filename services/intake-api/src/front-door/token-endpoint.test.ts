import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { keys, sha256 } from '../test-support/credentials.ts';
import {
  doorSettings,
  doorTenantId,
  expectDefenderError,
  fetchToken,
  tokenForm,
} from '../test-support/front-door.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { unknownId } from '../test-support/items.ts';

const v1 = `/defender/${doorTenantId}/oauth2/token`;
const v2 = `/defender/${doorTenantId}/oauth2/v2.0/token`;

describe('the token endpoint of the front door', () => {
  const dir = mkdtempSync(join(tmpdir(), 'door-keys-'));
  const file = join(dir, 'keys');
  const write = (text: string) => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  const withoutOther = doorSettings.INTAKE_API_KEYS.replace(/other:[^,]+,/, '');
  write(doorSettings.INTAKE_API_KEYS);
  after(() => rmSync(dir, { recursive: true }));
  const redis = useEmbeddedRedis();
  const { INTAKE_API_KEYS: _, ...settings } = doorSettings;
  const intake = useIntake(redis, { ...settings, INTAKE_API_KEYS_FILE: file }, { keyFileIntervalMs: 10 });
  const post = (path: string, form: object) => request(intake.url).post(path).type('form').send(form);
  const poll = (token: string) =>
    request(intake.url).get('/defender/api/alerts').set('Authorization', `Bearer ${token}`);

  it('gives a token of an hour in the forms of version 1 and 2', async () => {
    const resource = 'https://api.securitycenter.microsoft.com';
    const one = await post(v1, { ...tokenForm('soar', keys.playbook), resource }).expect(200);
    const {
      access_token: first,
      expires_on: on,
      not_before: before,
      ...rest
    } = one.body as Record<string, string>;
    assert.deepEqual(rest, { token_type: 'Bearer', expires_in: '3599', ext_expires_in: '3599', resource });
    assert.equal(Number(on) - Number(before), 3_599);
    const two = await post(v2, { ...tokenForm('soar', keys.playbook), scope: `${resource}/.default` }).expect(
      200,
    );
    const { access_token: second, ...more } = two.body as Record<string, unknown>;
    assert.deepEqual(more, { token_type: 'Bearer', expires_in: 3_599, ext_expires_in: 3_599 });
    assert.notEqual(first, second);
    for (const token of [first, second]) assert.ok(![401, 403].includes((await poll(String(token))).status));
  });

  it('knows the tenant by its name, too', async () => {
    await fetchToken(intake, 'soar', keys.playbook, '/defender/default/oauth2/v2.0/token');
    await fetchToken(intake, 'soar', keys.playbook, `/defender/default/${doorTenantId}/oauth2/token`);
  });

  const faults: Readonly<
    Record<string, [path: string, form: object, status: number, error: string, number]>
  > = {
    'a wrong secret': [v1, tokenForm('soar', 'wrong'), 401, 'invalid_client', 7_000_215],
    'the secret of another key': [v2, tokenForm('soar', keys.reader), 401, 'invalid_client', 7_000_215],
    'an unknown name': [v2, tokenForm('no-such-key', keys.playbook), 401, 'invalid_client', 7_000_215],
    'no secret': [
      v2,
      { grant_type: 'client_credentials', client_id: 'soar' },
      400,
      'invalid_request',
      900_144,
    ],
    'another grant': [
      v2,
      { ...tokenForm('soar', keys.playbook), grant_type: 'password' },
      400,
      'unsupported_grant_type',
      70_003,
    ],
    'an unknown tenant': [
      '/defender/11111111-1111-4111-8111-111111111111/oauth2/token',
      tokenForm('soar', keys.playbook),
      400,
      'invalid_request',
      90_002,
    ],
    "a tenant that is another key's": [
      v1,
      tokenForm('elsewhere', keys.elsewhere),
      400,
      'invalid_request',
      90_002,
    ],
    'a body that is far too long': [
      v1,
      { ...tokenForm('soar', keys.playbook), more: 'x'.repeat(20_000) },
      400,
      'invalid_request',
      900_144,
    ],
  };

  for (const [what, [path, form, status, error, number]] of Object.entries(faults)) {
    it(`refuses ${what} as Entra ID does`, async () => {
      const answer = await post(path, form);
      const body = answer.body as Record<string, unknown>;
      assert.deepEqual([answer.status, body['error'], body['error_codes']], [status, error, [number]]);
      assert.match(String(body['error_description']), new RegExp(`^AADSTS${number}: .*Correlation ID: `));
      assert.match(String(body['timestamp']), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/);
      assert.ok(!answer.text.includes(keys.playbook));
    });
  }

  it('takes no JSON', async () => {
    const answer = await request(intake.url).post(v1).send(tokenForm('soar', keys.playbook));
    assert.deepEqual([answer.status, (answer.body as { error: string }).error], [400, 'invalid_request']);
  });

  it('keeps tokens and secrets out of Redis and the log', async () => {
    const token = await fetchToken(intake, 'soar', keys.playbook);
    await poll(token);
    const members = await redis.client.zrange('diq:{caller/soar}:front-door-tokens', 0, '-1');
    assert.ok(members.length > 0 && !members.some((member) => token.includes(member)));
    const log = JSON.stringify(intake.log);
    assert.ok(!log.includes(keys.playbook) && !log.includes(token.split('~').at(-1) ?? token));
  });

  it('keeps a thousand tokens of a key at the most', async () => {
    const set = 'diq:{caller/reader}:front-door-tokens';
    const first = await fetchToken(intake, 'reader', keys.reader);
    const later = Date.now() + 3_700_000;
    await redis.client.zadd(set, ...Array.from({ length: 999 }, (_, i) => [String(later), `m${i}`]).flat());
    await poll(first).expect(({ status }) => assert.ok(status !== 401));
    await fetchToken(intake, 'reader', keys.reader);
    assert.equal(await redis.client.zcard(set), 1_000);
    expectDefenderError(await poll(first), 401, 'Unauthorized');
  });

  it('gives tokens that end with their key, and are of no other form', async () => {
    const token = await fetchToken(intake, 'other', keys.operator);
    await poll(token).expect(({ status }) => assert.ok(status !== 401));
    const [name, , tenant, secret = ''] = token.split('~');
    for (const forged of [
      `soar~defender~${tenant}~${secret}`,
      `${name}~defender~${unknownId}~${secret}`,
      `${name}~acting~${secret}`,
      keys.operator,
      `${token}x`,
    ]) {
      expectDefenderError(await poll(forged), 401, 'Unauthorized');
    }
    write(withoutOther);
    await waitFor(() => intake.log.some(({ msg }) => msg === 'API keys changed'), { what: 'the change' });
    expectDefenderError(await poll(token), 401, 'Unauthorized');
    // Another key of the same name is another one.
    const changes = () => intake.log.filter(({ msg }) => msg === 'API keys changed').length;
    const before = changes();
    write(`${withoutOther},other:read:${sha256('another')}`);
    await waitFor(() => changes() > before, { what: 'the other key' });
    expectDefenderError(await poll(token), 401, 'Unauthorized');
  });

  it('looks as much up for a name that no key has: the time of an answer tells no names', async () => {
    const secret = 'A'.repeat(43);
    const lookUps = async (name: string) => {
      const calls = async () =>
        Number(/cmdstat_zscore:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1] ?? 0);
      const before = await calls();
      expectDefenderError(await poll(`${name}~defender~${doorTenantId}~${secret}`), 401, 'Unauthorized');
      return (await calls()) - before;
    };
    assert.deepEqual([await lookUps('soar'), await lookUps('no-such-key')], [1, 1]);
  });

  it('lets no client guess', async () => {
    const tries = Array.from({ length: 31 }, (_, i) => post(v1, tokenForm('soar', `guess-${i}`)));
    const statuses = (await Promise.all(tries)).map(({ status }) => status);
    assert.ok(statuses.includes(429));
    const refused = await post(v1, tokenForm('soar', 'guess-31')).expect(429);
    assert.ok(Number(refused.headers['retry-after']) > 0);
    assert.deepEqual((refused.body as { error_codes: number[] }).error_codes, [90_055]);
  });
});
