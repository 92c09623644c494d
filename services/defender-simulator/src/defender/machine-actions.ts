import { randomInt, randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { actionDocument, type MachineAction } from './action-document.ts';
import { ticksOf } from './investigations.ts';
import type { Machine } from './machines.ts';

export type { MachineAction } from './action-document.ts';

export const endStatuses = ['Succeeded', 'Failed', 'TimeOut', 'Cancelled'] as const;

export type EndStatus = (typeof endStatuses)[number];

/** A command of a live response as it was asked for. */
export interface LiveCommand {
  type: string;
  params: { key: string; value: string }[];
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
  /** Of the file that it is about. */
  sha1?: string;
  commands?: readonly LiveCommand[];
  /** Readable at once, whatever the replication delay. */
  visibleAtOnce?: boolean;
}

/** How an action ended, and when. `failedCommand`: the index of the command at which a live response broke off. */
export interface ActionEnd {
  status: string;
  atWallMs: number;
  failedCommand?: number | undefined;
}

/** An action as it stands in the books. */
export interface ActionRecord extends ActionOrder {
  readonly id: string;
  readonly createdWallMs: number;
  /** Units of 100 ns since the year 1, as .NET has them. */
  readonly ticks: bigint;
  readonly visibleFromMs: number;
  /** Since when the machine can be reached, as far as that was looked at. */
  reachableFromWallMs: number;
  hasBegun: boolean;
  end: ActionEnd | undefined;
}

/** Machine actions: `Pending`, `InProgress`, and one of four ends when their time is over. */
export interface MachineActions {
  make(order: ActionOrder): MachineAction;
  /** The newest one of this type on the machine that has not ended; of this file alone where a hash is given. */
  running(machineId: string, type: string, sha1?: string): MachineAction | undefined;
  /** How many of this type have not ended, pending ones included. */
  openCount(type: string): number;
  /** Newest first. `all` includes what the replication delay still hides from readers. */
  list(scope: 'visible' | 'all'): MachineAction[];
  /** Ends one now, or gives one that has ended another end; `undefined` for an unknown id. */
  end(id: string, how: { status: EndStatus; failedCommand?: number | undefined }): MachineAction | undefined;
  /** In the order in which they were accepted. */
  records(): readonly Readonly<ActionRecord>[];
}

export interface ActionRules {
  clock: Clock;
  /** An action stays pending while its machine is not. */
  isOnline(machineId: string): boolean;
  /** In `Pending`, once the machine can be reached. */
  actionPendingMs: number;
  /** From the moment at which the machine can be reached to the end. */
  actionMs: number;
  /** So long an action waits for a machine that cannot be reached; then it ends as `TimeOut`. */
  actionExpiryMs: number;
  /** How actions end. */
  actionOutcome: EndStatus;
  /** For this long after its making an action is hidden from readers. */
  replicationDelayMs: number;
}

export function createMachineActions(rules: ActionRules): MachineActions {
  const { clock, replicationDelayMs } = rules;
  const records: ActionRecord[] = [];
  const current = (record: ActionRecord) => {
    advance(record, clock.wallMs(), rules);
    return record;
  };
  const isOpen = (record: ActionRecord) => current(record).end === undefined;

  return {
    make(order) {
      const createdWallMs = order.createdWallMs ?? clock.wallMs();
      const record: ActionRecord = {
        ...order,
        id: randomUUID(),
        createdWallMs,
        ticks: ticksOf(createdWallMs, randomInt(10_000)),
        visibleFromMs: clock.monotonicMs() + (order.visibleAtOnce === true ? 0 : replicationDelayMs),
        reachableFromWallMs: createdWallMs,
        hasBegun: order.status === 'InProgress',
        end: endOf(order.status, createdWallMs),
      };
      records.push(record);
      return actionDocument(current(record));
    },
    running(machineId, type, sha1) {
      const isMeant = (one: ActionRecord) =>
        one.machine.id === machineId && one.type === type && (sha1 === undefined || one.sha1 === sha1);
      const found = records.findLast((record) => isMeant(record) && isOpen(record));
      return found && actionDocument(found);
    },
    openCount: (type) => records.filter((record) => record.type === type && isOpen(record)).length,
    list: (scope) =>
      records
        .filter((record) => scope === 'all' || record.visibleFromMs <= clock.monotonicMs())
        .toSorted((one, other) => (one.ticks < other.ticks ? 1 : -1))
        .map((record) => actionDocument(current(record))),
    end(id, { status, failedCommand }) {
      const record = records.find((one) => one.id === id);
      if (record === undefined) return undefined;
      record.end = { status, atWallMs: current(record).end?.atWallMs ?? clock.wallMs(), failedCommand };
      record.status = undefined;
      return actionDocument(record);
    },
    records: () => records.map(current),
  };
}

function endOf(status: string | undefined, atWallMs: number): ActionEnd | undefined {
  const known: readonly string[] = endStatuses;
  return status !== undefined && known.includes(status) ? { status, atWallMs } : undefined;
}

/** Writes down what the time that has passed has done to an action. */
function advance(record: ActionRecord, nowWallMs: number, rules: ActionRules): void {
  if (record.end !== undefined || record.status !== undefined) return;
  const { actionMs, actionExpiryMs, actionOutcome: status } = rules;
  if (!record.hasBegun) {
    if (!rules.isOnline(record.machine.id)) {
      record.reachableFromWallMs = Math.max(record.reachableFromWallMs, nowWallMs);
      const expiresWallMs = record.createdWallMs + actionExpiryMs;
      if (nowWallMs >= expiresWallMs) record.end = { status: 'TimeOut', atWallMs: expiresWallMs };
      return;
    }
    const beginsWallMs = record.reachableFromWallMs + Math.min(rules.actionPendingMs, actionMs);
    if (nowWallMs < beginsWallMs) return;
    record.hasBegun = true;
  }
  const endsWallMs = record.reachableFromWallMs + actionMs;
  if (nowWallMs >= endsWallMs) record.end = { status, atWallMs: endsWallMs };
}
