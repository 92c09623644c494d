import type { Records } from '@diq/contracts/operations/profile.ts';
import { NotReadable, oddRows, type Ask } from './ask.ts';
import { longestOpenMs, type Finding, type UnresolvedCall } from './finding.ts';
import { matchAction } from './match-action.ts';

/** Looks at the machine's actions of the operation's type, of which one that runs can be days old. */
export async function findAction(
  call: UnresolvedCall,
  { type, covers }: Extract<Records, { list: 'machineActions' }>,
  ask: Ask,
): Promise<Finding> {
  const { machineId, sentAtMs } = call;
  const query = { type, machineId, createdSinceMs: sentAtMs - longestOpenMs };
  const actions = await ask((reader, token) => reader.listMachineActions(token, query));
  const finding = matchAction(call, actions?.records ?? [], covers);
  if (finding.kind !== 'own' && actions !== undefined && actions.odd.length > 0)
    throw new NotReadable(oddRows);
  return finding;
}
