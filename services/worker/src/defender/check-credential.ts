import { SettingsError } from '@diq/runtime/read-settings.ts';
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
  federated_token_unreadable: 'the file is empty or cannot be read (expected the token of the platform)',
};

/**
 * Loads the credential once, so that a start with one that cannot work ends at once instead of at the first call. What
 * Entra ID thinks of it is seen only by asking.
 *
 * @throws SettingsError naming the setting and what is wrong, never the content
 */
export async function checkCredential(credential: Credential): Promise<void> {
  try {
    await loadCredential(credential);
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error;
    throw new SettingsError([`${settingOf[credential.kind]}: ${faultOf[error.code]}`]);
  }
}
