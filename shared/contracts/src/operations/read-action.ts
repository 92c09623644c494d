import type { ShownAction } from './profile.ts';
import { memberOf, readOpaqueId, readText } from './read-id.ts';

/** A MachineAction of Defender's; `undefined` without an id. */
export function readAction(body: unknown): ShownAction | undefined {
  const id = readOpaqueId(body, 'id');
  if (id === undefined) return undefined;
  const fileIdentifier = readText(memberOf(body, 'relatedFileInfo'), 'fileIdentifier');
  const commands = memberOf(body, 'commands');
  return {
    id,
    requestorComment: readText(body, 'requestorComment'),
    scope: readText(body, 'scope'),
    ...(fileIdentifier !== undefined && { fileIdentifier }),
    ...(Array.isArray(commands) && commands.length > 0 && { commands: commands as unknown[] }),
  };
}
