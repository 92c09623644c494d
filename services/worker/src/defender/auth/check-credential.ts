import {
  certificateExpiresAtMs,
  CredentialError,
  credentialSettings,
  loadCredential,
  type Credential,
} from './load-credential.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { repeat } from '@diq/runtime/async/run-periodically.ts';

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
    const setting =
      credential.kind === 'secret_file' ? 'clientSecretFile' : credentialSettings[credential.kind];
    return [`${setting}: ${error.fault}`];
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
  const look = async (): Promise<void> => {
    const expiresAtMs = (await certificateExpiresAtMs(credential)) ?? Infinity;
    const leftMs = expiresAtMs - Date.now();
    if (leftMs > warnBeforeMs) return;
    const expiresAt = new Date(expiresAtMs).toISOString();
    logger.warn(
      { expiresAt, daysLeft: Math.floor(leftMs / dayMs) },
      'the certificate for Entra ID expires soon',
    );
  };
  return repeat(everyMs, look, () => undefined);
}
