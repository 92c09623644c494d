import { traceIdOf } from '@diq/contracts/trace-context.ts';
import type { Dispatch } from '@diq/queue/dispatch-store.ts';

/** What every line about a dispatch tells of it. */
export function aboutDispatch({ id, machineId, trace }: Pick<Dispatch, 'id' | 'machineId' | 'trace'>) {
  return { dispatchId: id, machineId, ...(trace ? { traceId: traceIdOf(trace) } : {}) };
}
