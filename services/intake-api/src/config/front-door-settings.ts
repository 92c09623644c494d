import { z } from 'zod';
import { SettingsError } from '@diq/runtime/settings/read-settings.ts';
import { listEntries } from '@diq/runtime/settings/setting-kinds.ts';
import { flag } from '@diq/runtime/settings/read-settings.ts';
import type { Tenant } from '@diq/tenants/tenant.ts';
import { guid } from './auth-settings.ts';

/** An application that may ask at the front door with Microsoft's tokens for Defender, in one tenant. */
export interface FrontDoorClient {
  tenantId: string;
  applicationId: string;
}

export interface FrontDoorSettings {
  /** No other tokens of Microsoft count. */
  clients: readonly FrontDoorClient[];
  /** Whose keys these tokens are signed by. */
  authorityHost: string;
  /** Where a tenant's Defender is, for what is passed on to it; `undefined` for a tenant that is removed. */
  defenderUrlOf: (tenant: Tenant) => string | undefined;
}

export const frontDoorShape = {
  FRONT_DOOR: flag().prefault('off'),
  FRONT_DOOR_CLIENTS: clients().optional(),
};

type Read = z.output<z.ZodObject<typeof frontDoorShape>> & {
  INTAKE_AUTH: 'required' | 'off';
  INTAKE_ENTRA_AUTHORITY_HOST: string;
  DEFENDER_BASE_URL: string;
  TENANTS_FILE?: string | undefined;
};

/** `undefined` where the front door is closed. @throws SettingsError for what does not go together */
export function frontDoorSettings(read: Read): FrontDoorSettings | undefined {
  const faults: string[] = [];
  if (!read.FRONT_DOOR && read.FRONT_DOOR_CLIENTS)
    faults.push('FRONT_DOOR_CLIENTS: set without FRONT_DOOR (expected FRONT_DOOR=on beside it)');
  if (read.FRONT_DOOR && read.INTAKE_AUTH === 'off')
    faults.push('FRONT_DOOR: on with INTAKE_AUTH=off (expected API keys, since its tokens stand for them)');
  if (faults.length > 0) throw new SettingsError(faults);
  if (!read.FRONT_DOOR) return undefined;
  const { DEFENDER_BASE_URL: baseUrl, TENANTS_FILE: file } = read;
  return {
    clients: read.FRONT_DOOR_CLIENTS ?? [],
    authorityHost: read.INTAKE_ENTRA_AUTHORITY_HOST,
    defenderUrlOf: (tenant) => ('access' in tenant ? accessOf(tenant).baseUrl : file ? undefined : baseUrl),
  };
}

/** The tenants of a file have it. */
function accessOf(tenant: Tenant & { access: unknown }): { baseUrl: string } {
  return tenant.access as { baseUrl: string };
}

const maxClients = 1_000;

function clients() {
  return z.string().transform((text, context): FrontDoorClient[] => {
    const entries = listEntries(text);
    const found = entries.map((entry) => {
      const [tenantId, applicationId, ...rest] = entry.split('/').map((part) => guid.safeParse(part).data);
      return tenantId && applicationId && rest.length === 0 ? { tenantId, applicationId } : undefined;
    });
    const wrong = found.findIndex((one) => one === undefined);
    const refuse = (message: string) => context.addIssue({ code: 'custom', message });
    if (wrong >= 0)
      refuse(`entry ${wrong + 1} is not usable (expected tenant id and application id, joined by /)`);
    if (entries.length === 0 || entries.length > maxClients)
      refuse(
        `holds ${entries.length} entries (expected 1 to ${maxClients} of tenant id and application id, joined by /)`,
      );
    return found.filter((one) => one !== undefined);
  });
}
