import request from 'supertest';
import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keys } from '../test-support/credentials.ts';
import { doorSettings, expectDefenderError, fetchToken } from '../test-support/front-door.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { useIssuer, type TokenPlan } from '../test-support/issuer-under-test.ts';
import { machineId } from '../test-support/items.ts';

const stranger = '5e0c0f3e-9a40-4be7-8c11-7a2f7d1c9999';
const otherTenantId = '0d2f6a5b-7a4e-4c46-9a55-0f1d3ac0b999';
const comment = { Comment: 'INC-2' };

describe('a token of Microsoft’s for Defender', () => {
  const issuer = useIssuer();
  const intake = useIntake(
    useEmbeddedRedis(),
    {
      ...doorSettings,
      AZURE_TENANT_ID: issuer.tenantId,
      FRONT_DOOR_CLIENTS: `${issuer.tenantId}/${issuer.applicationId}, ${otherTenantId}/${stranger}`,
      get INTAKE_ENTRA_AUTHORITY_HOST() {
        return issuer.origin;
      },
    },
    { entra: { fetch: (...asked) => issuer.fetch(...asked) } },
  );
  /** As Entra ID issues them to an application for Defender. */
  const tokenOf = ({ claims, ...plan }: TokenPlan = {}) =>
    issuer.token({
      ...plan,
      claims: {
        iss: `https://sts.windows.net/${issuer.tenantId}/`,
        aud: 'https://api.securitycenter.microsoft.com',
        appid: issuer.applicationId,
        azp: undefined,
        roles: ['Alert.ReadWrite.All'],
        ver: '1.0',
        ...claims,
      },
    });
  const send = (path: string, token: string, body: object = comment) =>
    request(intake.url).post(`/defender${path}`).set('Authorization', `Bearer ${token}`).send(body);
  const start = (token: string, number = 1) =>
    send(`/api/machines/${machineId(number)}/startInvestigation`, token);

  it('lets a listed application ask, in its tenant and by its roles, and follow', async () => {
    const token = await tokenOf();
    const { body } = await start(token).expect(201);
    const { id } = body as { id: string };
    await request(intake.url)
      .get(`/defender/api/investigations/${id}`)
      .set('Authorization', `Bearer ${token}`)
      .expect(200);
    const listed = await intake.get(`/v1/requests/${id}`).expect(200);
    assert.equal((listed.body as { status: string }).status, 'queued');
    assert.ok(intake.log.some(({ caller }) => caller === `entra:${issuer.applicationId}`));
  });

  const audiences = [
    'https://api.securitycenter.windows.com',
    'https://api.security.microsoft.com',
    'https://securitycenter.onmicrosoft.com/windowsatpservice',
    'fc780465-2017-40d4-a0c5-307022471b92',
  ];
  for (const aud of audiences)
    it(`is taken for ${aud}`, async () =>
      void (await start(await tokenOf({ claims: { aud } }), 2).expect(201)));

  const refused: Readonly<Record<string, () => TokenPlan>> = {
    'of an application that is not listed': () => ({ claims: { appid: stranger } }),
    'of an application that is listed for another tenant': () => ({ claims: { appid: stranger } }),
    'of a tenant that is not listed': () => ({ claims: { tid: stranger } }),
    'of another issuer': () => ({ claims: { iss: 'https://sts.example/' } }),
    'for another audience': () => ({ claims: { aud: 'https://graph.microsoft.com' } }),
    'for this service': () => ({ claims: { aud: issuer.audience } }),
    'that is over': () => ({ expiresInSeconds: -120 }),
    'of a person': () => ({ claims: { scp: 'Alert.ReadWrite', oid: stranger } }),
  };
  for (const [what, plan] of Object.entries(refused)) {
    it(`is refused ${what}`, async () => {
      const answer = await start(await tokenOf(plan()), 3);
      expectDefenderError(answer, 401, 'Unauthorized');
      assert.ok(!answer.text.includes(stranger));
    });
  }

  it('is refused with a changed signature', async () => {
    const [head, , signature] = (await tokenOf()).split('.');
    const [, claims] = (await tokenOf({ claims: { roles: ['Machine.Isolate'] } })).split('.');
    expectDefenderError(await start(`${head}.${claims}.${signature}`, 3), 401, 'Unauthorized');
  });

  it('does what its own roles at Defender allow, and nothing else of the same risk', async () => {
    const token = await tokenOf({ claims: { roles: ['Machine.Scan'] } });
    await send(`/api/machines/${machineId(4)}/runAntiVirusScan`, token, {
      ...comment,
      ScanType: 'Quick',
    }).expect(201);
    const isolation = { ...comment, IsolationType: 'Full' };
    const answer = await send(`/api/machines/${machineId(4)}/isolate`, token, isolation);
    assert.match(expectDefenderError(answer, 403, 'Forbidden').message, /Machine\.Isolate/);
    expectDefenderError(await start(token, 4), 403, 'Forbidden');
    expectDefenderError(await start(await tokenOf({ claims: { roles: [] } }), 4), 403, 'Forbidden');
  });

  it('shows what others asked for to those whose roles let them read it at Defender, and to no other', async () => {
    const key = await fetchToken(intake, 'soar', keys.playbook, '/defender/default/oauth2/token');
    const asked = async (verb: string, bearer: string, body: object = comment) => {
      const answer = await send(`/api/machines/${machineId(6)}/${verb}`, bearer, body);
      return String((answer.body as { id?: string; value?: number }).id ?? answer.body.value);
    };
    const read = async (path: string, ...roles: string[]) => {
      const token = await tokenOf({ claims: { roles } });
      return request(intake.url).get(`/defender${path}`).set('Authorization', `Bearer ${token}`);
    };
    const scan = { ...comment, ScanType: 'Quick' };
    const [investigation, number, action] = [
      await asked('startInvestigation', key),
      await asked('InitiateInvestigation', key),
      await asked('runAntiVirusScan', key, scan),
    ];
    const paths = {
      [`/api/investigations/${investigation}`]: 'Alert.Read.All',
      [`/api/investigations/${number}`]: 'Alert.Read.All',
      [`/api/machineactions/${action}`]: 'Machine.Read.All',
      [`/api/machineactions?$filter=id eq '${action}'`]: 'Machine.ReadWrite.All',
    };
    for (const [path, role] of Object.entries(paths)) {
      assert.equal((await read(path, role)).status, 200, path);
      const other = role.startsWith('Alert') ? 'Machine.Read.All' : 'Alert.ReadWrite.All';
      for (const roles of [['Machine.Isolate'], [other]])
        expectDefenderError(await read(path, ...roles), 404, 'ResourceNotFound');
    }
    const own = await asked('runAntiVirusScan', await tokenOf({ claims: { roles: ['Machine.Scan'] } }), {
      ...scan,
      ScanType: 'Full',
    });
    assert.equal((await read(`/api/machineactions/${own}`, 'Machine.Scan')).status, 200);
  });

  it('gets links to what was collected by a role to read alone, also for its own requests', async () => {
    const link = async (roles: string[]) => {
      const token = await tokenOf({ claims: { roles: ['Machine.LiveResponse', ...roles] } });
      const command = { type: 'GetFile', params: [{ key: 'Path', value: 'C:\\a.txt' }] };
      const asked = await send(`/api/machines/${machineId(7)}/runliveresponse`, token, {
        ...comment,
        Commands: [command],
      }).expect(201);
      const { id } = asked.body as { id: string };
      return request(intake.url)
        .get(`/defender/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=0)`)
        .set('Authorization', `Bearer ${token}`);
    };
    const { message } = expectDefenderError(await link([]), 403, 'Forbidden');
    assert.match(message, /Machine\.Read\.All/);
    // It has brought nothing yet.
    expectDefenderError(await link(['Machine.Read.All']), 404, 'ResourceNotFound');
  });

  it('is no credential of the API', async () => {
    const asked = request(intake.url)
      .get('/v1/quota')
      .set('Authorization', `Bearer ${await tokenOf()}`);
    await asked.expect(401);
  });

  it('can wait for the keys of Entra ID, while tokens of the own endpoint are taken', async () => {
    await issuer.rotate();
    issuer.setReachable(false);
    const answer = await start(await tokenOf(), 5);
    issuer.setReachable(true);
    assert.ok([401, 503].includes(answer.status));
    const own = await fetchToken(intake, 'soar', keys.playbook, '/defender/default/oauth2/token');
    await start(own, 5).expect(201);
  });
});
