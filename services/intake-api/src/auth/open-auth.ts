import type { RequestHandler } from 'express';
import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { closeRedis, openFailFastConnection } from '@diq/redis/connection.ts';
import { createKeyRing, type Identity } from './api-keys.ts';
import type { ApiKey } from '../config/callers.ts';
import type { EntraSettings } from '../config/auth-settings.ts';
import type { IntakeSettings } from '../config/config.ts';
import { createEntraSignIn } from './entra-sign-in.ts';
import { createTokenCheck, looksLikeToken, type EntraTokensDeps } from './entra-tokens.ts';
import { createFailedCredentials } from './brute-force-guard.ts';
import { createRateStore, limitRate, rateWindowMs } from '../http/middleware/limit-rate.ts';
import { watchKeyFile } from './watch-key-file.ts';

export interface OpenGuardsOptions {
  settings: IntakeSettings;
  logger: Logger;
  lifecycle: Lifecycle;
  /** Between two looks at the file of API keys. */
  keyFileIntervalMs?: number;
  entra?: EntraTokensDeps;
}

/** A count is not worth waiting for: a request goes uncounted rather than late. */
const countTimeoutMs = 100;

/** Opens what decides who is let in and how often, saying how each part closes. */
export function openGuards(options: OpenGuardsOptions) {
  const { settings, logger } = options;
  if (settings.auth.kind === 'off')
    logger.warn('INTAKE_AUTH=off: every client that reaches the port has every scope');
  const identity = settings.auth.kind === 'off' ? undefined : openIdentity(settings.auth, options);
  return {
    guards: {
      identify: identity?.identify,
      failedCredentials: createFailedCredentials(),
      trustedProxies: settings.trustedProxies,
      hostNames: settings.hostNames,
      limitRate: openRateLimit(options),
    },
    entra: settings.auth.kind === 'off' ? undefined : openSignIn(settings.auth.entra, options),
    keys: identity?.keys ?? (() => []),
    onKeysChanged: identity?.onKeysChanged ?? (() => {}),
  };
}

function openIdentity(
  { keys, keysFile, entra }: Exclude<IntakeSettings['auth'], { kind: 'off' }>,
  { logger, lifecycle, keyFileIntervalMs = 2_000, entra: deps }: OpenGuardsOptions,
) {
  let present: readonly ApiKey[] = keys;
  let ring = createKeyRing(keys);
  const listeners: (() => void)[] = [];
  if (keysFile !== undefined) {
    const stopWatch = watchKeyFile({
      path: keysFile,
      keys,
      onChange(changed) {
        present = changed;
        ring = createKeyRing(changed);
        for (const listener of listeners) listener();
      },
      logger,
      intervalMs: keyFileIntervalMs,
    });
    lifecycle.onClose('watch of the API keys', stopWatch);
  }
  const checkToken = entra && createTokenCheck(entra, deps);
  return {
    /** By API key, and by token of an Entra tenant where one is accepted. */
    async identify(credential: string): Promise<Identity> {
      const caller = ring(credential);
      if (caller) return { kind: 'known', caller };
      if (checkToken && looksLikeToken(credential)) return await checkToken(credential);
      return { kind: 'unknown', why: 'The credential is not known here.' };
    },
    /** The API keys of the moment. */
    keys: () => present,
    /** Called when they become others. */
    onKeysChanged: (listener: () => void) => void listeners.push(listener),
  };
}

/** What signing in with Entra ID takes. */
function openSignIn(entra: EntraSettings | undefined, { entra: deps }: OpenGuardsOptions) {
  if (!entra?.signIn) return undefined;
  return { settings: entra, application: entra.signIn, signIn: createEntraSignIn(entra, entra.signIn, deps) };
}

function openRateLimit({ settings, logger, lifecycle }: OpenGuardsOptions): RequestHandler | undefined {
  if (settings.maxRequestsPerMinute === 0) return undefined;
  const redis = openFailFastConnection({
    address: settings.redisAddress,
    name: 'diq-intake-limits',
    logger,
    commandTimeoutMs: countTimeoutMs,
  });
  lifecycle.onClose('redis for the rate limit', () => closeRedis(redis));
  const store = createRateStore(redis, rateWindowMs);
  return limitRate(settings.maxRequestsPerMinute, store, logger);
}
