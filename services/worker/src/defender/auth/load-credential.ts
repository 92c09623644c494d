import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { NodeAuthOptions } from '@azure/msal-node';
import { readRegularFile } from '@diq/runtime/settings/read-regular-file.ts';
import type { Credential } from '@diq/tenants/tenant.ts';

export type { Credential } from '@diq/tenants/tenant.ts';

/** The setting of each kind, for the one tenant that is in the environment. */
export const credentialSettings = {
  secret: 'AZURE_CLIENT_SECRET',
  certificate: 'AZURE_CLIENT_CERTIFICATE_PATH',
  federated: 'AZURE_FEDERATED_TOKEN_FILE',
} as const satisfies Record<Exclude<Credential['kind'], 'secret_file'>, string>;

/** What can be wrong with a credential's file, and what is expected of it. */
const faults = {
  certificate_unreadable:
    'the file cannot be read or parsed (expected PEM with a private key and a certificate)',
  certificate_incomplete:
    'private key or certificate is missing (expected PEM with both, the key unencrypted)',
  certificate_key_mismatch: 'the private key is not that of the first certificate (expected the leaf first)',
  certificate_not_rsa: 'the key is no RSA key (expected one that can sign PS256)',
  certificate_expired: 'the certificate has expired (expected one that is valid now)',
  certificate_not_yet_valid:
    'the certificate is not valid yet (expected one that is valid now; is the clock right?)',
  secret_unreadable: 'the file is empty, holds no secret or cannot be read (expected the client secret)',
  federated_token_unreadable:
    'the file is empty, holds no token or cannot be read (expected the token of the platform)',
} as const;

type CredentialErrorCode = keyof typeof faults;

/** The credential's file cannot be used. Says which file's role and what is wrong, never its content. */
export class CredentialError extends Error {
  override readonly name = 'CredentialError';
  readonly code: CredentialErrorCode;
  /** For people: what is wrong (what is expected). */
  readonly fault: string;

  constructor(code: CredentialErrorCode) {
    super(`the credential cannot be used: ${code}`);
    this.code = code;
    this.fault = faults[code];
  }
}

type MsalCredential = Pick<NodeAuthOptions, 'clientSecret' | 'clientCertificate' | 'clientAssertion'>;

/** The credential in msal's terms. Rejects with {@link CredentialError} when its file cannot be used. */
export async function loadCredential(credential: Credential): Promise<MsalCredential> {
  if (credential.kind === 'secret') return { clientSecret: credential.secret };
  if (credential.kind === 'secret_file') {
    return { clientSecret: await readWord(credential.path, 'secret_unreadable') };
  }
  if (credential.kind === 'certificate') {
    return { clientCertificate: parseCertificate(await read(credential.path, 'certificate_unreadable')) };
  }
  return { clientAssertion: await readWord(credential.path, 'federated_token_unreadable') };
}

/** What stands in the file, a line end at its end aside. */
async function readWord(path: string, code: CredentialErrorCode): Promise<string> {
  const word = (await read(path, code)).trim();
  if (!/^[\x21-\x7e]+$/.test(word)) throw new CredentialError(code);
  return word;
}

/** Far more than a chain of certificates takes. */
const maxFileBytes = 1_024 * 1_024;

async function read(path: string, code: CredentialErrorCode): Promise<string> {
  try {
    return (await readRegularFile(path, maxFileBytes)).toString();
  } catch {
    throw new CredentialError(code);
  }
}

/** Until when the certificate is valid; `undefined` for another kind of credential. Rejects like {@link loadCredential}. */
export async function certificateExpiresAtMs(credential: Credential): Promise<number | undefined> {
  const { clientCertificate } = await loadCredential(credential);
  const chain = clientCertificate?.x5c;
  return chain === undefined ? undefined : Date.parse(new X509Certificate(chain).validTo);
}

/** The chain goes along as x5c, which lets Entra ID accept a renewed certificate by subject name and issuer. */
function parseCertificate(pem: string): NonNullable<MsalCredential['clientCertificate']> {
  const [privateKey] = blocksOf(pem, '(?:RSA |EC )?PRIVATE KEY');
  const chain = blocksOf(pem, 'CERTIFICATE');
  const [leaf] = chain;
  if (privateKey === undefined || leaf === undefined) throw new CredentialError('certificate_incomplete');
  const certificate = parsed(() => new X509Certificate(leaf));
  const key = parsed(() => createPrivateKey(privateKey));
  if (!certificate.checkPrivateKey(key)) throw new CredentialError('certificate_key_mismatch');
  // The assertion is signed with PS256.
  if (key.asymmetricKeyType !== 'rsa') throw new CredentialError('certificate_not_rsa');
  const { validFrom, validTo } = certificate;
  if (Date.parse(validTo) <= Date.now()) throw new CredentialError('certificate_expired');
  if (Date.parse(validFrom) > Date.now()) throw new CredentialError('certificate_not_yet_valid');
  return {
    thumbprintSha256: certificate.fingerprint256.replaceAll(':', ''),
    privateKey,
    x5c: chain.join('\n'),
  };
}

function blocksOf(pem: string, label: string): string[] {
  return pem.match(new RegExp(`-----BEGIN (${label})-----[^-]+-----END \\1-----`, 'g')) ?? [];
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch {
    throw new CredentialError('certificate_unreadable');
  }
}
