import { isoOfTicks, ticksOf } from './investigations.ts';
import type { ActionRecord } from './machine-actions.ts';

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
  commands: ShownCommand[];
  [field: string]: unknown;
}

/** A command of a live response and how far it is. */
export interface ShownCommand {
  index: number;
  startTime: string | null;
  endTime: string | null;
  commandStatus: 'Created' | 'Completed' | 'Failed';
  errors: string[];
  command: object;
}

export function actionDocument(record: Readonly<ActionRecord>): MachineAction {
  const { end } = record;
  const created = isoOfTicks(record.ticks);
  const isCancelled = end?.status === 'Cancelled';
  return {
    id: record.id,
    type: record.type,
    title: null,
    requestor: record.requestor,
    requestorComment: record.comment,
    status: end?.status ?? record.status ?? (record.hasBegun ? 'InProgress' : 'Pending'),
    machineId: record.machine.id,
    computerDnsName: record.machine.computerDnsName,
    creationDateTimeUtc: created,
    lastUpdateDateTimeUtc: lastUpdateOf(record) ?? created,
    cancellationRequestor: isCancelled ? record.requestor : null,
    cancellationComment: isCancelled ? 'Cancelled' : null,
    cancellationDateTimeUtc: isCancelled ? isoOfTicks(ticksOf(end.atWallMs)) : null,
    errorHResult: 0,
    scope: record.scope,
    externalId: null,
    requestSource: 'PublicApi',
    relatedFileInfo:
      record.sha1 === undefined
        ? null
        : { fileIdentifier: record.sha1, filePath: null, fileIdentifierType: 'Sha1' },
    commands: (record.commands ?? []).map((_, index) => commandDocument(record, index)),
    troubleshootInfo: null,
  };
}

/** Of an action that was made in its last status, that of its making. */
function lastUpdateOf({ end, hasBegun, createdWallMs, reachableFromWallMs }: Readonly<ActionRecord>) {
  const atWallMs = end?.atWallMs ?? (hasBegun ? reachableFromWallMs : createdWallMs);
  return atWallMs === createdWallMs ? undefined : isoOfTicks(ticksOf(atWallMs));
}

/** Where an action succeeds, all its commands did. Where it fails, one of them failed, by default the last, and those behind it never ran. */
function commandDocument({ commands = [], end }: Readonly<ActionRecord>, index: number): ShownCommand {
  const failed =
    end?.status === 'Failed' ? Math.min(end.failedCommand ?? Infinity, commands.length - 1) : undefined;
  const isDone = end?.status === 'Succeeded' || (failed !== undefined && index <= failed);
  const atTime = end && isDone ? isoOfTicks(ticksOf(end.atWallMs)) : null;
  return {
    index,
    startTime: atTime,
    endTime: atTime,
    commandStatus: isDone ? (index === failed ? 'Failed' : 'Completed') : 'Created',
    errors: index === failed ? ['The command failed'] : [],
    command: { ...commands[index] },
  };
}
