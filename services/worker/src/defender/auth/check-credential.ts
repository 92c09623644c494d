import {
  CredentialError,
  loadCredential,
  certificateExpiresAtMs,
  type Credential,
  type CredentialErrorCode,
} from './load-credential.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { repeat } from '@diq/runtime/async/run-periodically.ts';

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

const dayMs = 24 * 3_600_000;
/** Time enough to have another one issued and uploaded. */
const warnBeforeMs = 30 * dayMs;

/**
 * Warns at the start, and then every day, of a certificate that expires soon. The file is read each time, so that one which
 * was replaced warns no more; one that cannot be used shows in the requests for a token.
 *
 * @returns what ends it
 */
export function watchCertificate(
  credential: Credential,
  logger: Pick<Logger, 'warn'>,
  everyMs = dayMs,
): () => Promise<void> {
  if (credential.kind !== 'certificate') return async () => undefined;
  const snapshot = async (): Promise<void> => {
    const expiresAtMs = (await certificateExpiresAtMs(credential)) ?? Infinity;
    const leftMs = expiresAtMs - Date.now();
    if (leftMs > warnBeforeMs) return;
    const expiresAt = new Date(expiresAtMs).toISOString();
    logger.warn(
      { expiresAt, daysLeft: Math.floor(leftMs / dayMs) },
      'the certificate for Entra ID expires soon',
    );
  };
  return repeat(everyMs, snapshot, () => undefined);
}
