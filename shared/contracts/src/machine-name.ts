import { z } from 'zod';

/**
 * The DNS name of a machine, as Defender has it in `computerDnsName`. Case carries no meaning: it is kept in lower case. An IP
 * address is none: the last label has a letter.
 */
export const machineName = z
  .string({ error: 'must be a string' })
  .max(253, 'must have at most 253 characters')
  .regex(
    /^(?=[^.]{1,63}(?:\.[^.]{1,63})*$)(?:[A-Za-z0-9_](?:[\w-]*[A-Za-z0-9_])?\.)*(?=[\w-]*[A-Za-z_])[A-Za-z0-9_](?:[\w-]*[A-Za-z0-9_])?$/,
    'must be a DNS name of letters, digits, hyphens and dots, as Defender shows it (an IP address is none)',
  )
  .toLowerCase();

export const aadDeviceId = z
  .guid({ error: 'must be a GUID: the id of the device in Entra ID' })
  .toLowerCase();

/** How an item names its machine: by exactly one of these. */
export interface NamedMachine {
  readonly machineId?: string | undefined;
  readonly machineName?: string | undefined;
  readonly aadDeviceId?: string | undefined;
}

/** In place of a machine id while that is not known: the field and what it says. No id has such a sign in it. */
export const byName = { machineName: 'name=', aadDeviceId: 'aad=' } as const;

/** What a machine is known by: its id, or what it is named by until that is looked up. */
export function machineKeyOf({ machineId, machineName: name, aadDeviceId: device }: NamedMachine): string {
  if (machineId !== undefined) return machineId;
  return name === undefined ? `${byName.aadDeviceId}${device ?? ''}` : `${byName.machineName}${name}`;
}

/** Whether its id has to be looked up first. */
export function isNamed(machineKey: string): boolean {
  return machineKey.includes('=');
}

/** The fields of an item or document that name its machine, those that are there. */
export function namingOf({ machineId, machineName: name, aadDeviceId: device }: NamedMachine): {
  machineId?: string;
  machineName?: string;
  aadDeviceId?: string;
} {
  return {
    ...(machineId === undefined ? {} : { machineId }),
    ...(name === undefined ? {} : { machineName: name }),
    ...(device === undefined ? {} : { aadDeviceId: device }),
  };
}

/** For documents that show how a machine is named. */
export const namedMachine = {
  machineId: z
    .string()
    .optional()
    .describe('Left out until the name of the machine was looked up in Defender.'),
  machineName: z.string().optional().describe('Where it was asked for by name.'),
  aadDeviceId: z.string().optional().describe('Where it was asked for by its id in Entra ID.'),
};
