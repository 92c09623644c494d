import { randomInt } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Machine } from './machines.ts';

/** An investigation as Defender shows it. */
export interface Investigation {
  id: string;
  startTime: string;
  endTime: string | null;
  state: string;
  cancelledBy: string | null;
  statusDetails: string | null;
  machineId: string;
  computerDnsName: string;
  triggeringAlertId: string;
}

/** An alert as Defender shows it. `investigationId` is a number here, unlike `Investigation.id`. */
export interface Alert {
  id: string;
  investigationId: number;
  investigationState: string;
  alertCreationTime: string;
  machineId: string;
  title: string;
  description: string;
  detectionSource: string;
  [field: string]: unknown;
}

/** `startedWallMs` lets the investigation lie in the past; `state` keeps it in that state for good. */
export interface InvestigationOrder {
  machine: Machine;
  /** Named in the alert: the application id, or who else started it. */
  actor: string;
  startedWallMs?: number | undefined;
  state?: string | undefined;
  /** Readable at once, whatever the replication delay. */
  visibleAtOnce?: boolean;
}

/** Investigations and the alerts of their manual starts. */
export interface Investigations {
  start(order: InvestigationOrder): Investigation;
  /** A start while one runs: an alert of its own, which points to the one that runs. */
  join(order: InvestigationOrder, running: Investigation): void;
  /** The newest one of the machine that runs now. */
  running(machineId: string): Investigation | undefined;
  /** Newest first. `all` includes what the replication delay still hides from readers. */
  list(scope: 'visible' | 'all'): Investigation[];
  /** Newest first, visible ones. */
  alerts(): Alert[];
}

export interface InvestigationRules {
  clock: Clock;
  tenantId: string;
  /** From `Running` to `SuccessfullyRemediated`. */
  investigationMs: number;
  /** For this long after its making a record is hidden from readers. */
  replicationDelayMs: number;
}

interface InvestigationRecord {
  id: number;
  machine: Machine;
  startedWallMs: number;
  state: string | undefined;
  alertId: string;
  visibleFromMs: number;
}

interface AlertRecord {
  id: string;
  ticks: bigint;
  machine: Machine;
  actor: string;
  investigation: InvestigationRecord;
  visibleFromMs: number;
}

/** The id in the example of the documentation. */
const firstId = 5146;

export function createInvestigations(rules: InvestigationRules): Investigations {
  const { clock, investigationMs, replicationDelayMs } = rules;
  const records: InvestigationRecord[] = [];
  const alertRecords: AlertRecord[] = [];

  const visibleFromMs = (order: InvestigationOrder) =>
    clock.monotonicMs() + (order.visibleAtOnce === true ? 0 : replicationDelayMs);
  const isVisible = (record: { visibleFromMs: number }) => record.visibleFromMs <= clock.monotonicMs();
  const show = (record: InvestigationRecord) => investigationOf(record, clock.wallMs(), investigationMs);

  const raiseAlert = (order: InvestigationOrder, stamp: AlertStamp, investigation: InvestigationRecord) => {
    alertRecords.push({ ...order, ...stamp, investigation, visibleFromMs: visibleFromMs(order) });
  };

  return {
    start(order) {
      const startedWallMs = order.startedWallMs ?? clock.wallMs();
      const stamp = alertStamp(startedWallMs);
      const { machine, state } = order;
      const ids = { id: firstId + records.length, alertId: stamp.id };
      const record = { ...ids, machine, state, startedWallMs, visibleFromMs: visibleFromMs(order) };
      records.push(record);
      raiseAlert(order, stamp, record);
      return show(record);
    },
    join(order, running) {
      const record = records.find(({ id }) => String(id) === running.id);
      if (record !== undefined) raiseAlert(order, alertStamp(clock.wallMs()), record);
    },
    running: (machineId) =>
      records
        .filter(({ machine }) => machine.id === machineId)
        .map(show)
        .findLast(({ state }) => state === 'Running'),
    list: (scope) =>
      records
        .filter((record) => scope === 'all' || isVisible(record))
        .toSorted(newestFirst)
        .map(show),
    alerts: () =>
      alertRecords
        .filter(isVisible)
        .toSorted((one, other) => (one.ticks < other.ticks ? 1 : -1))
        .map((record) => alertOf(record, show(record.investigation), rules.tenantId)),
  };
}

function newestFirst(one: InvestigationRecord, other: InvestigationRecord): number {
  return other.startedWallMs - one.startedWallMs || other.id - one.id;
}

interface AlertStamp {
  id: string;
  ticks: bigint;
}

function alertStamp(wallMs: number): AlertStamp {
  const ticks = ticksOf(wallMs, randomInt(10_000));
  return { id: `da${ticks}_${randomInt(-(2 ** 31), 2 ** 31)}`, ticks };
}

function investigationOf(
  record: InvestigationRecord,
  nowWallMs: number,
  investigationMs: number,
): Investigation {
  const endWallMs = record.startedWallMs + investigationMs;
  const ended = record.state === undefined && endWallMs <= nowWallMs;
  return {
    id: String(record.id),
    startTime: wholeSeconds(record.startedWallMs),
    endTime: ended ? wholeSeconds(endWallMs) : null,
    state: record.state ?? (ended ? 'SuccessfullyRemediated' : 'Running'),
    cancelledBy: null,
    statusDetails: null,
    machineId: record.machine.id,
    computerDnsName: record.machine.computerDnsName,
    triggeringAlertId: record.alertId,
  };
}

/** Recorded investigations show no fraction of a second. */
function wholeSeconds(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/\.\d+Z$/, 'Z');
}

function alertOf(record: AlertRecord, investigation: Investigation, tenantId: string): Alert {
  const created = isoOfTicks(record.ticks);
  return {
    id: record.id,
    incidentId: record.investigation.id,
    investigationId: record.investigation.id,
    assignedTo: 'API Action',
    severity: 'Informational',
    status: investigation.endTime === null ? 'InProgress' : 'Resolved',
    classification: null,
    determination: null,
    investigationState: investigation.state,
    detectionSource: 'AutomatedInvestigation',
    detectorId: '5c6b7d86-c91f-4f8c-8aec-9d2086f46527',
    category: 'SuspiciousActivity',
    threatFamilyName: null,
    title: 'Automated investigation started manually',
    description: `${record.actor} initiated an Automated investigation on ${record.machine.computerDnsName}.\n    The investigation automatically identifies and reviews threat artifacts for possible remediation.`,
    alertCreationTime: created,
    firstEventTime: created,
    lastEventTime: created,
    lastUpdateTime: investigation.endTime ?? created,
    resolvedTime: investigation.endTime,
    machineId: record.machine.id,
    computerDnsName: record.machine.computerDnsName,
    rbacGroupName: null,
    aadTenantId: tenantId,
    threatName: null,
    mitreTechniques: [],
    relatedUser: null,
    comments: [],
    evidence: [],
    domains: [],
  };
}

/** Units of 100 ns between 0001-01-01 and 1970-01-01, both UTC. */
const unixEpochTicks = 621_355_968_000_000_000n;

/** .NET ticks of a wall-clock time; `fraction` (0 to 9,999) is what lies below the millisecond. */
export function ticksOf(wallMs: number, fraction = 0): bigint {
  return BigInt(Math.floor(wallMs)) * 10_000n + unixEpochTicks + BigInt(fraction);
}

/** ISO 8601 with the seven decimals that Defender writes, trailing zeros left out. */
export function isoOfTicks(ticks: bigint): string {
  const sinceUnix = ticks - unixEpochTicks;
  const seconds = new Date(Number(sinceUnix / 10_000n)).toISOString().slice(0, 19);
  const decimals = String(sinceUnix % 10_000_000n)
    .padStart(7, '0')
    .replace(/0+$/, '');
  return decimals === '' ? `${seconds}Z` : `${seconds}.${decimals}Z`;
}
