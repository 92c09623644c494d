import { randomBytes } from 'node:crypto';
import { generate } from 'selfsigned';

/** A password, and a certificate for servers on the loopback address which is its own authority. */
export async function makeRedisAccess() {
  const { cert, private: key } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    keySize: 2048,
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  });
  return { password: randomBytes(12).toString('hex'), tls: { cert, key } };
}
