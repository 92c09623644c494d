import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname } from 'node:path';

import { generate } from 'selfsigned';

import type { SimulatorSettings } from './config.ts';

/** What the server shows (`certPem`, `keyPem`) and what a client has to trust (`caPem`). All PEM. */
export interface ServerCertificate {
  certPem: string;
  keyPem: string;
  caPem: string;
}

type CertificateSettings = Pick<SimulatorSettings, 'certFile' | 'keyFile' | 'caFile' | 'tlsNames'>;

/**
 * Reads the configured certificate or makes a self-signed one, and writes what clients have to trust to `caFile`.
 * The made one is its own CA, so that `NODE_EXTRA_CA_CERTS` alone makes Node accept it.
 */
export async function serverCertificate(settings: CertificateSettings): Promise<ServerCertificate> {
  const certificate = await readOrMake(settings);
  if (settings.caFile !== undefined) await writeWhole(settings.caFile, certificate.caPem);
  return certificate;
}

async function readOrMake({ certFile, keyFile, tlsNames }: CertificateSettings): Promise<ServerCertificate> {
  if (certFile !== undefined && keyFile !== undefined) {
    const [certPem, keyPem] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
    return { certPem, keyPem, caPem: certPem };
  }
  // Each has a name of its own: of two CAs with the same name, a client that trusts both takes the first for either.
  const commonName = `defender-simulator ${randomBytes(8).toString('hex')}`;
  const made = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    algorithm: 'sha256',
    // A client whose clock lags a little must not find the certificate not yet valid.
    notBeforeDate: new Date(Date.now() - 3_600_000),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: ['localhost', '127.0.0.1', '::1', ...tlsNames].map(altName) },
    ],
  });
  return { certPem: made.cert, keyPem: made.private, caPem: made.cert };
}

function altName(name: string): { type: 2; value: string } | { type: 7; ip: string } {
  return isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name };
}

/** Someone waiting for the file to appear never sees half of it. Ends with a line end, so that files can be joined. */
async function writeWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}.draft`;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(draft, text.endsWith('\n') ? text : `${text}\n`);
  await rename(draft, file);
}
