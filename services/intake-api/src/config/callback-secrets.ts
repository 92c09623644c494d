import { z } from 'zod';
import { listEntries } from '@diq/runtime/settings/setting-kinds.ts';

/** Of every secret, as Standard Webhooks has it. */
export const secretPrefix = 'whsec_';
/** Of the key itself, as Standard Webhooks asks. */
const minKeyBytes = 24;
const maxKeyBytes = 64;
/** The present one and, during a rotation, the other. */
const maxSecrets = 2;

/**
 * A setting that holds the secrets from which those of the receivers are derived, `whsec_` and Base64, at most two separated by a comma. Faults
 * name an entry by its number only.
 */
export function callbackSecrets() {
  return z.string().transform((text, context): string[] => {
    const secrets = listEntries(text);
    const faults = secrets.flatMap((secret, i) => {
      const fault = faultOf(secret);
      return fault === undefined ? [] : [`entry ${i + 1} ${fault}`];
    });
    if (secrets.length === 0) faults.push('holds no secret (expected one or two)');
    if (secrets.length > maxSecrets) faults.push(`holds ${secrets.length} secrets (expected one or two)`);
    for (const message of faults) context.addIssue({ code: 'custom', message });
    return secrets;
  });
}

function faultOf(secret: string): string | undefined {
  const key = Buffer.from(secret.slice(secretPrefix.length), 'base64');
  // Node skips what is not Base64; the library that signs does not.
  const isPlain = secretPrefix + key.toString('base64') === secret;
  if (!isPlain) return `is not usable (expected ${secretPrefix} and Base64)`;
  if (key.length < minKeyBytes || key.length > maxKeyBytes)
    return `has ${key.length} bytes (expected ${minKeyBytes} to ${maxKeyBytes})`;
  return undefined;
}
