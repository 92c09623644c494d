import type { Agent } from 'undici';
import type { RedisConnection } from '@diq/redis/connection.ts';
import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { EntraTokensDeps } from '../auth/entra-tokens.ts';
import type { ApiKey } from '../config/callers.ts';
import type { FrontDoorSettings } from '../config/front-door-settings.ts';
import { createAskDefender, type AskDefender } from './answer-reads.ts';
import { createDoorTokens, type DoorTokens } from './door-tokens.ts';
import { createPassThroughAgent } from './pass-through.ts';
import { createMicrosoftTokens, type MicrosoftTokens } from './microsoft-tokens.ts';

/** What the front door is made of, beside what the API works with. */
export interface FrontDoorParts {
  settings: FrontDoorSettings;
  tokens: DoorTokens;
  microsoft: MicrosoftTokens;
  /** Connections to Defenders. */
  agent: Agent;
  askDefender: AskDefender;
}

interface OpenFrontDoorOptions {
  redis: RedisConnection;
  keys: () => readonly ApiKey[];
  entra?: EntraTokensDeps | undefined;
  lifecycle: Lifecycle;
}

export function openFrontDoor(
  settings: FrontDoorSettings,
  { redis, keys, entra, lifecycle }: OpenFrontDoorOptions,
): FrontDoorParts {
  const agent = createPassThroughAgent(entra?.proxy);
  lifecycle.onClose('connections of the front door', () => agent.destroy());
  return {
    settings,
    tokens: createDoorTokens(redis, keys),
    microsoft: createMicrosoftTokens(settings, entra),
    agent,
    askDefender: createAskDefender(redis),
  };
}
