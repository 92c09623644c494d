import type { Alert, Investigation } from '../defender/defender-records.ts';
import { clockSlackMs, type Finding, type Trace, type UnresolvedCall } from './finding.ts';

/** What Defender shows of the machine. */
export interface Evidence {
  readonly alerts: readonly Alert[];
  readonly investigations: readonly Investigation[];
}

/** Title of the alert that Defender raises for each investigation started by hand or by an application. */
export const manualStartTitle = 'Automated investigation started manually';

const closedStates: ReadonlySet<string> = new Set([
  'Terminated',
  'SuccessfullyRemediated',
  'Benign',
  'Failed',
  'PartiallyRemediated',
  'PartiallyInvestigated',
  'TerminatedByUser',
  'TerminatedBySystem',
  'InnerFailure',
]);

/** States in which nothing was ever looked at. */
const emptyStates: ReadonlySet<string> = new Set([
  'PreexistingAlert',
  'UnsupportedOs',
  'UnsupportedAlertType',
  'SuppressedAlert',
]);

/** Of those in which an investigation has not ended, the ones that say that it goes on. */
const runningStates: ReadonlySet<string> = new Set([
  'Queued',
  'Running',
  'PendingApproval',
  'PendingResource',
]);

/** The one place that decides whose investigation it is that Defender shows. Pure. */
export function matchInvestigation(call: UnresolvedCall, { alerts, investigations }: Evidence): Finding {
  // Refused because something runs already: what runs is what is looked for, and no alert was raised.
  if (call.cause === 'running') return coveringOf(call, investigations);
  const manual = alerts
    .filter(({ title, createdAtMs }) => title === manualStartTitle && createdAtMs >= earliestMs(call))
    .toSorted((one, other) => one.createdAtMs - other.createdAtMs);
  const isReported = (alert: Alert) => call.reported.has(traceOf(alert, investigations).id ?? '');
  const inTime = manual.filter(
    (alert) => alert.createdAtMs <= call.arrivedByMs + clockSlackMs && !isReported(alert),
  );
  const named = inTime.filter((alert) => actorOf(alert, call) === 'us');
  const candidates = named.length > 0 ? named : inTime.filter((alert) => actorOf(alert, call) === 'unclear');

  const [only, ...others] = candidates;
  if (only && others.length === 0) return { kind: 'own', ...traceOf(only, investigations) };
  // The first one after the call left is the most likely among several candidates.
  const [next = only ?? manual[0]] = candidates.filter(({ createdAtMs }) => createdAtMs >= call.sentAtMs);
  if (next) return { kind: 'covering', ...traceOf(next, investigations) };
  return coveringOf(call, investigations);
}

/** From when on what Defender shows can be of this call. */
function earliestMs({ sentAtMs }: UnresolvedCall): number {
  return sentAtMs - clockSlackMs;
}

/**
 * Whom the alert names. Its text has no fixed form: an address with an @ is a person, an id that is not ours is another
 * application, and a bare name can be any actor's, our own application's too.
 */
function actorOf({ description }: Alert, { clientId }: UnresolvedCall): 'us' | 'another' | 'unclear' {
  const text = description.toLowerCase();
  if (text.includes(clientId.toLowerCase())) return 'us';
  const [actor = text] = text.split(' initiated ');
  return /@|[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/.test(actor) ? 'another' : 'unclear';
}

function traceOf(alert: Alert, investigations: readonly Investigation[]): Trace {
  const triggered = investigations.find(({ triggeringAlertId }) => triggeringAlertId === alert.id);
  return { id: alert.investigationId ?? triggered?.id, alertId: alert.id };
}

/**
 * One that runs, before one that was started since the call and has ended, or that ran when the call was refused because of it; of
 * several the newest.
 */
function coveringOf(call: UnresolvedCall, investigations: readonly Investigation[]): Finding {
  const isSince = ({ startTimeMs = 0, endTimeMs = 0 }: Investigation) =>
    startTimeMs >= earliestMs(call) || (call.cause === 'running' && endTimeMs >= earliestMs(call));
  const [best] = investigations
    .filter((one) => !emptyStates.has(one.state) && (isOpen(one) || isSince(one)))
    .toSorted(
      (one, other) =>
        Number(isOpen(other)) - Number(isOpen(one)) || (other.startTimeMs ?? 0) - (one.startTimeMs ?? 0),
    );
  return best ? { kind: 'covering', id: best.id, alertId: best.triggeringAlertId } : { kind: 'nothing' };
}

/** An unfamiliar state counts as open. */
function isOpen({ endTimeMs, state }: Investigation): boolean {
  return endTimeMs === undefined && !closedStates.has(state) && !emptyStates.has(state);
}

/** The newest that goes on, by its own word: a state that is unfamiliar, or says nothing, is no proof. */
export function runningInvestigation(investigations: readonly Investigation[]): Investigation | undefined {
  return investigations
    .filter(({ endTimeMs, state }) => endTimeMs === undefined && runningStates.has(state))
    .toSorted((one, other) => (other.startTimeMs ?? 0) - (one.startTimeMs ?? 0))[0];
}
