import type { Parameters, ShownAction } from '@diq/contracts/operations/profile.ts';
import type { MachineAction } from '../defender/defender-records.ts';
import type { Finding, UnresolvedCall } from './finding.ts';

const openStatuses: ReadonlySet<string> = new Set(['Pending', 'InProgress']);

/**
 * The one place that decides whose machine action it is that Defender shows. The token in the comment proves it;
 * without it, one that runs and does all that was asked for covers the machine. Pure.
 *
 * @param covers the profile's rule
 */
export function matchAction(
  { correlationToken, parameters }: Pick<UnresolvedCall, 'correlationToken' | 'parameters'>,
  actions: readonly MachineAction[],
  covers: (action: ShownAction, parameters: Parameters) => boolean,
): Finding {
  const newestFirst = actions.toSorted((one, other) => (other.createdAtMs ?? 0) - (one.createdAtMs ?? 0));
  const own = newestFirst.find(({ requestorComment }) => requestorComment?.endsWith(correlationToken));
  if (own) return { kind: 'own', id: own.id, alertId: undefined };
  const covering = runningAction(newestFirst, parameters, covers);
  return covering ? { kind: 'covering', id: covering.id, alertId: undefined } : { kind: 'nothing' };
}

/** The first of these that runs and does all that was asked for. */
export function runningAction(
  actions: readonly MachineAction[],
  parameters: Parameters,
  covers: (action: ShownAction, parameters: Parameters) => boolean,
): MachineAction | undefined {
  return actions.find((one) => openStatuses.has(one.status) && covers(one, parameters));
}
