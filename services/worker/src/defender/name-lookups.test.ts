import assert from 'node:assert/strict';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { countSystemLookups } from '@diq/testing/system-lookups.ts';
import { createDefenderClient } from './defender-client.ts';
import { createDefenderReader } from './defender-reader.ts';
import { createMsalNetworkClient } from './auth/msal-network-client.ts';
import { makeCertificate } from './test-support/certificate.ts';
import { httpAnswer, openScriptedServer, type ScriptedServer } from './test-support/scripted-server.ts';
import { openTokenEndpoint } from './test-support/token-endpoint.ts';
import { unlimitedReads } from '../test-support/unlimited-reads.ts';

const machineId = 'fb9ab6be3965095a09c057be7c90f0a2';
const byName = (url: string) => url.replace('127.0.0.1', 'localhost');

describe("the name of a server is not looked up in the system's pool, which the connections to Redis need", () => {
  const servers: ScriptedServer[] = [];
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

  async function serve(body: string): Promise<string> {
    const server = await openScriptedServer((socket) => void socket.end(httpAnswer(200, body)));
    servers.push(server);
    return byName(server.url);
  }

  it('for a call to Defender', async () => {
    const baseUrl = await serve('{"value":1}');
    const client = createDefenderClient({
      baseUrl,
      callTimeoutMs: 5_000,
      profile: initiateInvestigation,
    });
    const lookups = await countSystemLookups(async () => {
      const { kind } = await client.start({ machineId, comment: 'why', parameters: {}, token: 'token' });
      assert.equal(kind, 'started');
    });
    await client.close();
    assert.equal(lookups, 0);
  });

  it('for a reading of Defender', async () => {
    const reader = createDefenderReader({
      budget: unlimitedReads,
      baseUrl: await serve('{"value":[]}'),
      timeoutMs: 5_000,
    });
    const lookups = await countSystemLookups(async () => {
      const { kind } = await reader.listInvestigations('token', { startedSinceMs: 0 });
      assert.equal(kind, 'read');
    });
    await reader.close();
    assert.equal(lookups, 0);
  });

  it('for a token of Entra ID', async () => {
    const certificate = await makeCertificate();
    const entra = await openTokenEndpoint(certificate);
    const authorityHost = byName(entra.authorityHost);
    const network = createMsalNetworkClient({ authorityHost, requestTimeoutMs: 5_000, ca: certificate.cert });
    const lookups = await countSystemLookups(async () => {
      const { status } = await network.sendPostRequestAsync(`${authorityHost}/contoso/oauth2/v2.0/token`);
      assert.equal(status, 200);
    });
    await network.close();
    await entra.close();
    assert.equal(lookups, 0);
  });
});
