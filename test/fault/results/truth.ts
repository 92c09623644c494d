import type { SimulatorLog } from '../simulator-log.ts';
import type { Truth } from './asked.ts';

/** By the states that the simulator knows, written down a second time so that an error of the worker's is not shared. */
const outcomes: Readonly<Record<string, string>> = {
  Succeeded: 'succeeded',
  Failed: 'failed',
  TimeOut: 'failed',
  Cancelled: 'cancelled',
  SuccessfullyRemediated: 'succeeded',
};

/** What stands in the simulator's own books at this moment, whatever it shows to readers. */
export async function readTruth(log: Pick<SimulatorLog, 'actions' | 'investigations'>): Promise<Truth> {
  const [actions, investigations] = await Promise.all([log.actions(), log.investigations()]);
  return new Map([
    ...actions.map(({ id, machineId, status }) => [id, { machineId, outcome: outcomes[status] }] as const),
    ...investigations.map(
      ({ id, machineId, state }) => [id, { machineId, outcome: outcomes[state] }] as const,
    ),
  ]);
}
