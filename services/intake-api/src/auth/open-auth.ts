import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { closeRedis, openProducerConnection } from '@diq/redis/connection.ts';
import { createKeyRing } from './api-keys.ts';
import type { ApiKey } from './api-keys.ts';
import type { Dependencies } from '../dependencies.ts';
import type { IntakeSettings } from '../config/config.ts';
import { createTokenCheck } from './entra-tokens.ts';
import type { EntraTokensDeps } from './entra-tokens.ts';
import { createFailedCredentials } from './brute-force-guard.ts';
import { createIdentifyCaller } from './identify-caller.ts';
import type { IdentifyCaller } from './identify-caller.ts';
import { limitRate, rateWindowMs } from '../http/middleware/limit-rate.ts';
import { createRateStore } from '../http/rate-limit-store.ts';
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

type Guards = Pick<
  Dependencies,
  'identify' | 'failedCredentials' | 'trustedProxies' | 'hostNames' | 'limitRate'
>;

/** The API keys of the moment, and when they become others. */
interface KnownKeys {
  keys: () => readonly ApiKey[];
  onKeysChanged: (tell: () => void) => void;
}

/** Opens what decides who is let in and how often, saying how each part closes. */
export function openGuards(options: OpenGuardsOptions): { guards: Guards } & KnownKeys {
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
    keys: identity?.keys ?? (() => []),
    onKeysChanged: identity?.onKeysChanged ?? (() => {}),
  };
}

function openIdentity(
  { keys, keysFile, entra }: Exclude<IntakeSettings['auth'], { kind: 'off' }>,
  { logger, lifecycle, keyFileIntervalMs = 2_000, entra: deps }: OpenGuardsOptions,
): { identify: IdentifyCaller } & KnownKeys {
  let present: readonly ApiKey[] = keys;
  let ring = createKeyRing(keys);
  const told: (() => void)[] = [];
  if (keysFile !== undefined) {
    const watch = watchKeyFile({
      path: keysFile,
      keys,
      onChange(changed) {
        present = changed;
        ring = createKeyRing(changed);
        for (const tell of told) tell();
      },
      logger,
      intervalMs: keyFileIntervalMs,
    });
    lifecycle.onClose('watch of the API keys', () => watch.close());
  }
  const checkToken = entra && createTokenCheck(entra, deps);
  return {
    identify: createIdentifyCaller((credential) => ring(credential), checkToken),
    keys: () => present,
    onKeysChanged: (tell) => void told.push(tell),
  };
}

function openRateLimit({ settings, logger, lifecycle }: OpenGuardsOptions): Dependencies['limitRate'] {
  if (settings.maxRequestsPerMinute === 0) return undefined;
  const redis = openProducerConnection({
    settings: { url: settings.redisUrl },
    name: 'diq-intake-limits',
    logger,
    commandTimeoutMs: countTimeoutMs,
  });
  lifecycle.onClose('redis for the rate limit', () => closeRedis(redis));
  const store = createRateStore(redis, settings.keySpace, rateWindowMs);
  return limitRate({ perMinute: settings.maxRequestsPerMinute, store, logger });
}
