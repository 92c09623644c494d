import type { Parameters } from '@diq/contracts/operations/profile.ts';
import { operationNames, profileOf, type OperationName } from '@diq/contracts/operations/index.ts';
import { aadDeviceId, machineName } from '@diq/contracts/machine-name.ts';
import { machineId } from '@diq/contracts/investigation-item.ts';
import { DefenderError } from './answer-as-defender.ts';

/** The verbs of Defender's machine actions, as its documentation and its connectors spell them, in lower case. */
const byVerb = new Map<string, OperationName>(
  operationNames.map((name) => [(profileOf(name).path('m').split('/').at(-1) ?? '').toLowerCase(), name]),
);

/** The operation that a verb of the path stands for; `undefined` for what no queue can stand in front of. */
export function operationOfVerb(verb: string): OperationName | undefined {
  return byVerb.get(verb.toLowerCase());
}

/** An item as `POST /v1/requests` takes it, out of what a connector sends to Defender. It is checked there. */
export function itemFor(machine: string, body: unknown): object {
  const { Comment: comment, ...rest } = isObject(body) ? body : {};
  const names = Object.keys(rest);
  const misspelt = names.find((name) => !/^[A-Z]/.test(name));
  if (misspelt !== undefined || comment === undefined)
    throw invalidBody('Comment is required, and the names of all fields begin with a capital letter.');
  const parameters = Object.fromEntries(
    names.map((name) => [`${name[0]?.toLowerCase()}${name.slice(1)}`, rest[name]]),
  );
  return {
    ...namingOf(machine),
    comment,
    ...(names.length > 0 && { parameters }),
  };
}

/** As Defender takes it in its path: the id of a machine, of its device in Entra ID, or its DNS name. */
export function namingOf(
  machine: string,
): { machineId: string } | { aadDeviceId: string } | { machineName: string } {
  if (machineId.safeParse(machine).success) return { machineId: machine };
  if (aadDeviceId.safeParse(machine).success) return { aadDeviceId: machine };
  if (machineName.safeParse(machine).success) return { machineName: machine };
  throw machineNotFound(machine);
}

export function machineNotFound(machine: string): DefenderError {
  return new DefenderError(404, 'ResourceNotFound', `Machine ${machine} was not found`);
}

function invalidBody(message: string): DefenderError {
  return new DefenderError(400, 'InvalidRequestBody', `Request body is incorrect. ${message}`);
}

function isObject(value: unknown): value is Parameters {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
