import { z } from 'zod';
import { parseUrl } from '@diq/runtime/parse-url.ts';
import { readSettings, SettingsError, trimEnv } from '@diq/runtime/read-settings.ts';
import { allowedHosts, receiverOf } from './callbacks/allowed-hosts.ts';
import { callbackSecrets } from './callbacks/callback-secrets.ts';
import { secretOfReceiver } from './callbacks/sign-callback.ts';

/**
 * Prints the secret by which the receiver of a URL verifies callbacks, one for each secret in CALLBACK_SECRET:
 *
 *   npm run --silent callback-secret -- https://soar.example/hook
 */
const schema = z.object({ CALLBACK_ALLOWED_HOSTS: allowedHosts(), CALLBACK_SECRET: callbackSecrets() });

function main([text = '']: readonly string[]): number {
  const url = parseUrl(text.includes('://') ? text : `https://${text}`);
  try {
    const settings = readSettings(schema, trimEnv(process.env), {
      secrets: ['CALLBACK_SECRET'],
      lists: ['CALLBACK_ALLOWED_HOSTS', 'CALLBACK_SECRET'],
    });
    const receiver = url && receiverOf(url, settings.CALLBACK_ALLOWED_HOSTS);
    if (receiver === undefined) {
      console.error('Give a callback URL, or its host, that CALLBACK_ALLOWED_HOSTS allows.');
      return 64;
    }
    for (const secret of settings.CALLBACK_SECRET) console.log(secretOfReceiver(secret, receiver));
    return 0;
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    console.error(error.faults.join('\n'));
    return 78;
  }
}

process.exitCode = main(process.argv.slice(2));
