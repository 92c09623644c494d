import assert from 'node:assert/strict';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { createDefenderClient } from './defender-client.ts';
import { createDefenderReader } from './defender-reader.ts';
import { createMsalNetworkClient } from './auth/msal-network-client.ts';
import { makeCertificate } from './test-support/certificate.ts';
import { httpAnswer, openScriptedServer, type ScriptedServer } from './test-support/scripted-server.ts';
import { unlimitedReads } from '../test-support/unlimited-reads.ts';

describe("a server that is not trusted, with Node's check of certificates turned off", () => {
  let rogue: ScriptedServer;
  const given = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  before(async () => {
    rogue = await openScriptedServer((socket) => socket.end(httpAnswer(200, '{}')), await makeCertificate());
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  });
  after(async () => {
    if (given === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = given;
    await rogue.close();
  });
  afterEach('received nothing', () => {
    assert.deepEqual(
      rogue.conversations.map(({ received }) => received).filter((text) => text !== ''),
      [],
    );
  });

  it('gets no call', async () => {
    const client = createDefenderClient({
      baseUrl: rogue.url,
      callTimeoutMs: 5_000,
      profile: initiateInvestigation,
    });
    const outcome = await client.start({
      machineId: 'f'.repeat(40),
      comment: 'x',
      parameters: {},
      token: 'secret-token',
    });
    assert.equal(outcome.kind === 'not_sent' && outcome.reason, 'tls');
    await client.close();
  });

  it('gets no read', async () => {
    const reader = createDefenderReader({ budget: unlimitedReads, baseUrl: rogue.url, timeoutMs: 5_000 });
    assert.deepEqual(await reader.findInvestigation('secret-token', '9'), {
      kind: 'unreadable',
      reason: 'connection',
    });
    await reader.close();
  });

  it('gets no request for a token', async () => {
    const network = createMsalNetworkClient({ authorityHost: rogue.url, requestTimeoutMs: 5_000 });
    await assert.rejects(network.sendPostRequestAsync(`${rogue.url}/x`, { body: 'client_secret=x' }), {
      name: 'TokenNetworkError',
    });
    await network.close();
  });
});
