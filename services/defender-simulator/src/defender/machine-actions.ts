import { randomInt, randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { isoOfTicks, ticksOf } from './investigations.ts';
import type { Machine } from './machines.ts';

/** A machine action as Defender shows it. */
export interface MachineAction {
  id: string;
  type: string;
  scope: string | null;
  status: string;
  requestor: string;
  requestorComment: string;
  machineId: string;
  creationDateTimeUtc: string;
  [field: string]: unknown;
}

/** `createdWallMs` lets the action lie in the past; `status` keeps it in that status for good. */
export interface ActionOrder {
  machine: Machine;
  type: string;
  scope: string | null;
  comment: string;
  /** The application id, or who else asked for it. */
  requestor: string;
  createdWallMs?: number | undefined;
  status?: string | undefined;
  /** Readable at once, whatever the replication delay. */
  visibleAtOnce?: boolean;
}

/** Machine actions: from `Pending` to `Succeeded` when their time is over. */
export interface MachineActions {
  make(order: ActionOrder): MachineAction;
  /** The newest one of this type on the machine that has not ended. */
  running(machineId: string, type: string): MachineAction | undefined;
  /** Newest first. `all` includes what the replication delay still hides from readers. */
  list(scope: 'visible' | 'all'): MachineAction[];
}

export interface ActionRules {
  clock: Clock;
  /** From `Pending` to `Succeeded`. */
  actionMs: number;
  /** For this long after its making an action is hidden from readers. */
  replicationDelayMs: number;
}

interface ActionRecord extends ActionOrder {
  id: string;
  createdWallMs: number;
  /** Units of 100 ns since the year 1, as .NET has them. */
  ticks: bigint;
  visibleFromMs: number;
}

export function createMachineActions({ clock, actionMs, replicationDelayMs }: ActionRules): MachineActions {
  const records: ActionRecord[] = [];
  const show = (record: ActionRecord) => actionOf(record, clock.wallMs(), actionMs);

  return {
    make(order) {
      const createdWallMs = order.createdWallMs ?? clock.wallMs();
      const record = {
        ...order,
        id: randomUUID(),
        createdWallMs,
        ticks: ticksOf(createdWallMs, randomInt(10_000)),
        visibleFromMs: clock.monotonicMs() + (order.visibleAtOnce === true ? 0 : replicationDelayMs),
      };
      records.push(record);
      return show(record);
    },
    running: (machineId, type) =>
      records
        .filter((record) => record.machine.id === machineId && record.type === type)
        .map(show)
        .findLast(({ status }) => status === 'Pending' || status === 'InProgress'),
    list: (scope) =>
      records
        .filter((record) => scope === 'all' || record.visibleFromMs <= clock.monotonicMs())
        .toSorted((one, other) => (one.ticks < other.ticks ? 1 : -1))
        .map(show),
  };
}

function actionOf(record: ActionRecord, nowWallMs: number, actionMs: number): MachineAction {
  const endWallMs = record.createdWallMs + actionMs;
  const hasEnded = record.status === undefined && endWallMs <= nowWallMs;
  const created = isoOfTicks(record.ticks);
  return {
    id: record.id,
    type: record.type,
    title: null,
    requestor: record.requestor,
    requestorComment: record.comment,
    status: record.status ?? (hasEnded ? 'Succeeded' : 'Pending'),
    machineId: record.machine.id,
    computerDnsName: record.machine.computerDnsName,
    creationDateTimeUtc: created,
    lastUpdateDateTimeUtc: hasEnded ? isoOfTicks(ticksOf(endWallMs)) : created,
    cancellationRequestor: null,
    cancellationComment: null,
    cancellationDateTimeUtc: null,
    errorHResult: 0,
    scope: record.scope,
    externalId: null,
    requestSource: 'PublicApi',
    relatedFileInfo: null,
    commands: [],
    troubleshootInfo: null,
  };
}
