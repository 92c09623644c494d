import { CredentialError, loadCredential } from './load-credential.ts';
import type { Credential, CredentialErrorCode } from './load-credential.ts';

const settingOf = {
  secret: 'AZURE_CLIENT_SECRET',
  certificate: 'AZURE_CLIENT_CERTIFICATE_PATH',
  federated: 'AZURE_FEDERATED_TOKEN_FILE',
} as const satisfies Record<Credential['kind'], string>;

const faultOf: Readonly<Record<CredentialErrorCode, string>> = {
  certificate_unreadable:
    'the file cannot be read or parsed (expected PEM with a private key and a certificate)',
  certificate_incomplete:
    'private key or certificate is missing (expected PEM with both, the key unencrypted)',
  certificate_key_mismatch: 'the private key is not that of the first certificate (expected the leaf first)',
  certificate_not_rsa: 'the key is no RSA key (expected one that can sign PS256)',
  certificate_expired: 'the certificate has expired (expected one that is valid now)',
  certificate_not_yet_valid:
    'the certificate is not valid yet (expected one that is valid now; is the clock right?)',
  federated_token_unreadable:
    'the file is empty, holds no token or cannot be read (expected the token of the platform)',
};

/**
 * Loads the credential once, so that a start with one that cannot work ends at once instead of at the first call. What
 * Entra ID thinks of it is seen only by asking.
 *
 * @returns faults that name the setting and what is wrong, never the content
 */
export async function credentialFaults(credential: Credential | undefined): Promise<string[]> {
  if (credential === undefined) return [];
  try {
    await loadCredential(credential);
    return [];
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error;
    return [`${settingOf[credential.kind]}: ${faultOf[error.code]}`];
  }
}
