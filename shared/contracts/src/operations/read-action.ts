import type { ShownAction } from './profile.ts';
import { readOpaqueId, readText } from './read-id.ts';

/** A MachineAction of Defender's; `undefined` without an id. */
export function readAction(body: unknown): ShownAction | undefined {
  const id = readOpaqueId(body, 'id');
  if (id === undefined) return undefined;
  return { id, requestorComment: readText(body, 'requestorComment'), scope: readText(body, 'scope') };
}
