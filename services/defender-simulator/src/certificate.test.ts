import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { serverCertificate } from './certificate.ts';

describe('the server certificate', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'simulator-certificate-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('is good for this machine and for the further names', async () => {
    const { certPem } = await serverCertificate({ tlsNames: ['simulator', '10.0.0.7'] });
    const certificate = new X509Certificate(certPem);
    for (const host of ['localhost', 'simulator']) assert.equal(certificate.checkHost(host), host);
    for (const ip of ['127.0.0.1', '::1', '10.0.0.7']) assert.ok(certificate.checkIP(ip), ip);
    assert.equal(certificate.checkHost('login.microsoftonline.com'), undefined);
  });

  it('is written whole to the CA file, with its folder, and nothing beside it', async () => {
    const caFile = join(folder, 'deep', 'ca.pem');
    const { caPem } = await serverCertificate({ tlsNames: [], caFile });
    assert.equal(await readFile(caFile, 'utf8'), `${caPem.trimEnd()}\n`, 'one of several that are joined');
    assert.deepEqual(await readdir(join(folder, 'deep')), ['ca.pem']);
  });

  it('is the configured one where there is one', async () => {
    const made = await serverCertificate({ tlsNames: [] });
    const certFile = join(folder, 'cert.pem');
    const keyFile = join(folder, 'key.pem');
    await Promise.all([writeFile(certFile, made.certPem), writeFile(keyFile, made.keyPem)]);
    assert.deepEqual(await serverCertificate({ tlsNames: [], certFile, keyFile }), made);
  });

  it('fails loudly when a configured file is missing', async () => {
    const keyFile = join(folder, 'none.pem');
    await assert.rejects(serverCertificate({ tlsNames: [], certFile: keyFile, keyFile }), { code: 'ENOENT' });
  });
});
