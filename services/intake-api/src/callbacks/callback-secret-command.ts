import { z } from 'zod';
import { parseUrl } from '@diq/runtime/settings/setting-kinds.ts';
import { readSettings, SettingsError, trimEnv } from '@diq/runtime/settings/read-settings.ts';
import { allowedHosts, receiverOf } from '../config/allowed-hosts.ts';
import { callbackSecrets } from '../config/callback-secrets.ts';
import { secretOfReceiver } from './sign-callback.ts';

const schema = z.object({ CALLBACK_ALLOWED_HOSTS: allowedHosts(), CALLBACK_SECRET: callbackSecrets() });

/** What a command ends with: its exit code, and the lines for standard output or, where it failed, standard error. */
interface CommandResult {
  code: 0 | 64 | 78;
  lines: readonly string[];
}

/**
 * The secrets by which the receiver of `target`, a callback URL or its host, verifies callbacks: one for each secret in
 * CALLBACK_SECRET. Fails with 64 for a target that may not be called, with 78 for settings that are not usable.
 */
export function runCallbackSecretCommand(target: string, env: NodeJS.ProcessEnv): CommandResult {
  const url = parseUrl(target.includes('://') ? target : `https://${target}`);
  try {
    const settings = readSettings(schema, trimEnv(env), {
      secrets: ['CALLBACK_SECRET'],
      lists: ['CALLBACK_ALLOWED_HOSTS', 'CALLBACK_SECRET'],
    });
    const receiver = url && receiverOf(url, settings.CALLBACK_ALLOWED_HOSTS);
    if (receiver === undefined) {
      const line = 'Give a callback URL, or its host, that CALLBACK_ALLOWED_HOSTS allows.';
      return { code: 64, lines: [line] };
    }
    return { code: 0, lines: settings.CALLBACK_SECRET.map((secret) => secretOfReceiver(secret, receiver)) };
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return { code: 78, lines: error.faults };
  }
}
