import type { Parameters, ShownAction } from '@diq/contracts/operations/profile.ts';
import type { MachineAction } from '../defender/defender-records.ts';
import { clockSlackMs, type Finding, type UnresolvedCall } from './finding.ts';

const openStatuses: ReadonlySet<string> = new Set(['Pending', 'InProgress']);

/**
 * The one place that decides whose machine action it is that Defender shows. The token in the comment proves it;
 * without it, one that runs and does all that was asked for covers the machine. So does one that ran when the call was refused
 * because of it, and has ended since. Pure.
 *
 * @param covers the profile's rule
 */
export function matchAction(
  call: Omit<UnresolvedCall, 'machineId' | 'clientId' | 'reported'>,
  actions: readonly MachineAction[],
  covers: (action: ShownAction, parameters: Parameters) => boolean,
): Finding {
  const { correlationToken, parameters, cause } = call;
  const newestFirst = actions.toSorted((one, other) => (other.createdAtMs ?? 0) - (one.createdAtMs ?? 0));
  const own = newestFirst.find(({ requestorComment }) => requestorComment?.endsWith(correlationToken));
  if (own) return { kind: 'own', id: own.id, alertId: undefined };
  const ranThen = (one: MachineAction) => cause === 'running' && ranAt(one, call) && covers(one, parameters);
  const covering = runningAction(newestFirst, parameters, covers) ?? newestFirst.find(ranThen);
  return covering ? { kind: 'covering', id: covering.id, alertId: undefined } : { kind: 'nothing' };
}

/** Whether it can have run when the call arrived. */
function ranAt(
  { createdAtMs, updatedAtMs }: MachineAction,
  { sentAtMs, arrivedByMs }: Pick<UnresolvedCall, 'sentAtMs' | 'arrivedByMs'>,
): boolean {
  if (createdAtMs === undefined || updatedAtMs === undefined) return false;
  return createdAtMs <= arrivedByMs + clockSlackMs && updatedAtMs >= sentAtMs - clockSlackMs;
}

/** The first of these that runs and does all that was asked for. */
export function runningAction(
  actions: readonly MachineAction[],
  parameters: Parameters,
  covers: (action: ShownAction, parameters: Parameters) => boolean,
): MachineAction | undefined {
  return actions.find((one) => openStatuses.has(one.status) && covers(one, parameters));
}
