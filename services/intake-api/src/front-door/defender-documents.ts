import { profileOf, type OperationName } from '@diq/contracts/operations/index.ts';
import type { OperationProfile } from '@diq/contracts/operations/profile.ts';
import type { RequestDocument, RequestError } from '@diq/contracts/request-document.ts';
import type { RequestStatus } from '@diq/contracts/status.ts';

interface Shown {
  /** The id that was given out for the request, which it keeps. */
  id: string;
  document: RequestDocument;
  operation: OperationName;
}

const states = {
  queued: 'Queued',
  dispatching: 'Queued',
  // Until Defender is read for the first time.
  started: 'Running',
  failed: 'Failed',
  unknown: 'Failed',
  cancelled: 'TerminatedByUser',
  expired: 'TerminatedBySystem',
} as const satisfies Record<RequestStatus, string>;

const actionStatuses = {
  queued: 'Pending',
  dispatching: 'Pending',
  started: 'Pending',
  failed: 'Failed',
  unknown: 'Failed',
  cancelled: 'Cancelled',
  expired: 'TimeOut',
} as const satisfies Record<RequestStatus, string>;

/** A request as what it starts at Defender: an Investigation or a MachineAction, with the provisional id in it. */
export function describeAsDefender(shown: Shown): object {
  return profileOf(shown.operation).resultKind === 'investigation'
    ? investigationOf(shown)
    : machineActionOf(shown);
}

/** Where Defender's metadata name what a document is; `many` in a list. */
export function contextOfDocument(base: string, operation: OperationName, isMany = false): string {
  const set = profileOf(operation).resultKind === 'investigation' ? 'Investigations' : 'MachineActions';
  return `${base}/api/$metadata#${set}${isMany ? '' : '/$entity'}`;
}

function investigationOf({ id, document }: Shown) {
  const { status, result, machineId, machineName } = document;
  return {
    id,
    startTime: result?.startedAt ?? null,
    endTime: endOf(document),
    // Nothing follows it any more, so no caller is to wait for another state.
    state: result?.outcome === 'unknown' ? 'Unknown' : (result?.state ?? states[status]),
    cancelledBy: status === 'cancelled' ? 'defender-investigation-queue' : null,
    statusDetails: detailsOf(document),
    machineId: machineId ?? null,
    computerDnsName: machineName ?? null,
    triggeringAlertId: id,
    defenderId: result?.id ?? null,
  };
}

function machineActionOf({ id, document, operation }: Shown) {
  const { status, result, machineId, machineName, parameters = {}, comment } = document;
  const { records }: OperationProfile = profileOf(operation);
  const { isolationType, scanType, sha1, commands } = parameters;
  return {
    id,
    type: records.list === 'machineActions' ? records.type : null,
    title: null,
    requestor: 'defender-investigation-queue',
    requestorComment: comment,
    status: result?.outcome === 'unknown' ? 'TimeOut' : (result?.state ?? actionStatuses[status]),
    machineId: machineId ?? null,
    computerDnsName: machineName ?? null,
    creationDateTimeUtc: document.createdAt,
    lastUpdateDateTimeUtc:
      endOf(document) ?? result?.checkedAt ?? document.dispatchedAt ?? document.createdAt,
    cancellationRequestor: null,
    cancellationComment: null,
    cancellationDateTimeUtc: status === 'cancelled' ? endOf(document) : null,
    errorHResult: 0,
    scope: isolationType ?? scanType ?? null,
    externalId: null,
    requestSource: 'PublicApi',
    relatedFileInfo: sha1 === undefined ? null : { fileIdentifier: sha1, fileIdentifierType: 'Sha1' },
    commands: Array.isArray(commands) ? commands.map((command: unknown) => ({ command })) : [],
    troubleshootInfo: detailsOf(document),
    defenderId: result?.id ?? null,
  };
}

/** `null` until it has ended, at Defender or before. */
function endOf({ status, result, endedAt }: RequestDocument): string | null {
  if (status === 'queued' || status === 'dispatching') return null;
  if (status !== 'started') return endedAt ?? null;
  const isOver = result?.outcome !== undefined && result.outcome !== 'running';
  return result?.endedAt ?? (isOver ? (result.checkedAt ?? endedAt ?? null) : null);
}

/** What Defender has no field for, in words. */
function detailsOf(document: RequestDocument): string | null {
  const { status, result, error, expectedStartAt, startNotBefore, blockedBy } = document;
  switch (status) {
    case 'queued':
      if (blockedBy) return `queued; waits for ${blockedBy.reason.replaceAll('_', ' ')}`;
      if (expectedStartAt) return `queued; expected ${expectedStartAt}`;
      return startNotBefore ? `queued; not before ${startNotBefore}` : 'queued';
    case 'dispatching':
      return 'queued; its call is under way';
    case 'started':
      return result ? `started as ${result.id}${result.reason ? `; ${result.reason}` : ''}` : null;
    case 'failed':
      return wordsOf(error) ?? 'failed';
    case 'unknown':
      return `it is not known whether it was started${error ? `; ${wordsOf(error)}` : ''}`;
    case 'cancelled':
      return 'cancelled before its call';
    case 'expired':
      return 'its deadline passed before its call';
    default:
      return status satisfies never;
  }
}

function wordsOf(error: RequestError | undefined): string | undefined {
  return error && `${error.code}: ${error.message}`;
}
