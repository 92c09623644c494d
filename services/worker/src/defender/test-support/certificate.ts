import { generate } from 'selfsigned';

const dayMs = 24 * 3_600_000;

export interface TestCertificate {
  readonly key: string;
  readonly cert: string;
}

/** A self-signed RSA certificate for loopback and the common name, which is its own authority; valid from a day ago for a year. */
export async function makeCertificate(
  commonName = 'localhost',
  { from = new Date(Date.now() - dayMs), to }: { from?: Date; to?: Date } = {},
): Promise<TestCertificate> {
  const made = await generate([{ name: 'commonName', value: commonName }], {
    keySize: 2048,
    algorithm: 'sha256',
    notBeforeDate: to !== undefined && to < from ? new Date(to.getTime() - dayMs) : from,
    ...(to !== undefined && { notAfterDate: to }),
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 2, value: commonName },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { key: made.private, cert: made.cert };
}
