import { decodeJwt } from 'jose';
import { operationNames, profileOf } from '@diq/contracts/operations/index.ts';
import type { ResultKind } from '@diq/contracts/operations/profile.ts';
import type { Identity } from '../auth/api-keys.ts';
import { createTokenReader, looksLikeToken, type EntraTokensDeps } from '../auth/entra-tokens.ts';
import { scopeByRisk, type Caller, type Scope } from '../config/callers.ts';
import type { FrontDoorSettings } from '../config/front-door-settings.ts';

/**
 * For whom Entra ID issues tokens for Defender: the resource under each name that connectors ask for, its application id, and
 * the hosts of the government clouds.
 */
const audiencesOfDefender = [
  'https://api.securitycenter.microsoft.com',
  'https://api.securitycenter.windows.com',
  'https://api.security.microsoft.com',
  'https://securitycenter.onmicrosoft.com/windowsatpservice',
  'https://api-gcc.securitycenter.microsoft.us',
  'https://api-gov.securitycenter.microsoft.us',
  'fc780465-2017-40d4-a0c5-307022471b92',
].flatMap((audience) => [audience, `${audience}/`]);

/** A caller by a token of Microsoft's: it may ask for the operations whose Defender role it has. */
export interface DoorCaller extends Caller {
  /** Application roles of its token at Defender; absent for a caller by an API key. */
  defenderRoles?: ReadonlySet<string>;
}

export type MicrosoftTokens = ReturnType<typeof createMicrosoftTokens>;

/**
 * Tokens that Microsoft issued for Defender, of applications that are listed by tenant and application id. They were issued for
 * another service: who holds one could otherwise have this service act with its own identity. Tokens of people are
 * refused, since Defender would look at what their bearer may do with which machines.
 */
export function createMicrosoftTokens(
  { clients, authorityHost }: Pick<FrontDoorSettings, 'clients' | 'authorityHost'>,
  deps: EntraTokensDeps = {},
) {
  const listed = new Set(clients.map(({ tenantId, applicationId }) => `${tenantId}/${applicationId}`));
  const readers = new Map(
    [...new Set(clients.map(({ tenantId }) => tenantId))].map((tenantId) => [
      tenantId,
      createTokenReader({ tenantId, audiences: audiencesOfDefender, authorityHost }, deps),
    ]),
  );

  return {
    isToken: looksLikeToken,
    /** Whose token it is. Rejects with `KeysUnreachable` while the signing keys cannot be read. */
    async identify(token: string): Promise<Identity> {
      const tenantId = tenantClaimedBy(token);
      const read = tenantId === undefined ? undefined : readers.get(tenantId);
      if (!read || tenantId === undefined) return unlisted;
      const found = await read(token);
      if (found.kind === 'unknown') return found;
      const { application, person, roles } = found.claims;
      if (!listed.has(`${tenantId}/${application}`)) return unlisted;
      if (person !== undefined) return ofPerson;
      const caller: DoorCaller = {
        name: `entra:${application}`,
        scopes: scopesOf(roles),
        entraTenantId: tenantId,
        defenderRoles: new Set(roles),
      };
      return { kind: 'known', caller };
    },
  };
}

const unlisted: Identity = {
  kind: 'unknown',
  why: 'The application of the token is not listed here for its tenant (FRONT_DOOR_CLIENTS).',
};
const ofPerson: Identity = {
  kind: 'unknown',
  why: 'The token is of a person; only those of applications are taken here.',
};

/** Only says whose keys the token is to be checked with. */
function tenantClaimedBy(token: string): string | undefined {
  try {
    const { tid } = decodeJwt(token);
    return typeof tid === 'string' ? tid.toLowerCase() : undefined;
  } catch {
    return undefined;
  }
}

/** With which application roles Defender shows results, and the links to what an action brought. */
export const readingRoles: Readonly<Record<ResultKind, readonly string[]>> = {
  investigation: ['Alert.Read.All', 'Alert.ReadWrite.All'],
  machineAction: ['Machine.Read.All', 'Machine.ReadWrite.All'],
};

/** What the same token lets its bearer do at Defender itself; `defender-roles.ts` looks closer. Who may ask may follow what it asked for. */
function scopesOf(roles: readonly string[]): Set<Scope> {
  const allowed = operationNames.map(profileOf).filter(({ requiredRole }) => roles.includes(requiredRole));
  const reading = Object.values(readingRoles).flat();
  const mayRead = allowed.length > 0 || roles.some((role) => reading.includes(role));
  return new Set([
    ...allowed.map(({ risk }): Scope => scopeByRisk[risk]),
    ...(mayRead ? (['read'] as const) : []),
  ]);
}
