import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { isNamed, machineKeyOf } from '@diq/contracts/machine-name.ts';
import type { TraceContext } from '@diq/contracts/trace-context.ts';
import { digestsOf } from '../requests/correlation-digest.ts';
import { flowOf } from '../scheduling/order.ts';
import type { NewRequest } from './accept-chunk.ts';
import type { RequestIds } from './request-ids.ts';
import { coalescingKeyOf, keyAtPlace, type Sharing } from './sharing.ts';
import { requestBytes } from './stored-bytes.ts';

/** What repeats an earlier request. */
export type Retry = InvestigationItem & { retryOf: string };

/** What is recorded of an item, and under which ids. */
export function newRequest(
  item: InvestigationItem | Retry,
  nowMs: number,
  about: {
    ids: RequestIds;
    index: number;
    caller: string | undefined;
    trace: TraceContext | undefined;
    sharing: Sharing;
    /** In the order of its machine. */
    place?: string | undefined;
  },
): NewRequest {
  const { ids, index, caller, trace, sharing, place } = about;
  const machine = machineKeyOf(item);
  const key = keyAtPlace(coalescingKeyOf(item, sharing), place);
  // How it is to be accepted is over once it is; what was asked stays.
  const { force, strict: _, callbackUrl, ...asked } = item;
  return {
    id: ids.request(index),
    newTaskId: ids.task(index),
    machineId: machine,
    key,
    // In front: there it is exchanged when the name is known, see `lua/resolve-task.lua`.
    doc: JSON.stringify({
      ...(key === machine && !isNamed(machine) ? {} : { key }),
      ...asked,
      place,
      at: nowMs,
      trace,
    }),
    priority: item.priority,
    flow: flowOf(item.source, caller),
    notAfterMs: item.notAfter === undefined ? undefined : Date.parse(item.notAfter),
    source: item.source,
    digests: digestsOf(item.correlation),
    callback: callbackUrl,
    force,
    retryOf: 'retryOf' in item ? item.retryOf : undefined,
    bytes: requestBytes(item, trace),
  };
}
