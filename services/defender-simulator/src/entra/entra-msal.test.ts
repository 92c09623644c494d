import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { generate } from 'selfsigned';

import {
  clientId,
  clientSecret,
  type OpenSimulator,
  openSimulator,
  tenantId,
} from '../../test/open-simulator.ts';

const run = promisify(execFile);

describe('Entra ID as MSAL sees it, trusting it through NODE_EXTRA_CA_CERTS', () => {
  let folder: string;
  let simulator: OpenSimulator;
  let outcomes: Record<string, Record<string, unknown>>;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'simulator-msal-'));
    const caFile = join(folder, 'ca.pem');
    const keyFile = join(folder, 'client-key.pem');
    const clientCertificateFile = join(folder, 'client-cert.pem');
    const made = await generate([{ name: 'commonName', value: 'client' }], { algorithm: 'sha256' });
    await Promise.all([writeFile(keyFile, made.private), writeFile(clientCertificateFile, made.cert)]);
    const thumbprint = createHash('sha256').update(new X509Certificate(made.cert).raw).digest('hex');

    simulator = await openSimulator({
      caFile,
      clientCertificateFile,
      federatedAssertion: 'the federated assertion',
    });
    const child = new URL('../../test/msal-client.ts', import.meta.url).pathname;
    const values = [simulator.origin, tenantId, clientId, clientSecret, keyFile, thumbprint];
    const { stdout } = await run(process.execPath, [...process.execArgv, child, ...values], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: caFile },
    });
    outcomes = JSON.parse(stdout);
  });

  after(async () => {
    await simulator.close();
    await rm(folder, { recursive: true });
  });

  for (const way of ['secret', 'federated', 'certificate']) {
    it(`gives a token that Defender takes for a client that proves itself by: ${way}`, async () => {
      const token = outcomes[way]!['token'];
      assert.equal(typeof token, 'string', JSON.stringify(outcomes[way]));
      assert.equal((await simulator.start(String(token))).status, 200);
    });
  }

  it('refuses a wrong secret so that MSAL reports invalid_client with number 7000215', () => {
    const { errorCode, status, errorNo } = outcomes['wrongSecret']!;
    assert.deepEqual(
      { errorCode, status, errorNo: String(errorNo) },
      { errorCode: 'invalid_client', status: 401, errorNo: '7000215' },
    );
  });
});
