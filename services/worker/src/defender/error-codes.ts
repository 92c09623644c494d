/**
 * The codes of Defender's error document `{ "error": { "code", "message", "target" } }` by which it speaks of the machine
 * or of the content of one request. Documented by Microsoft, closed here: what is not in it says nothing of a request.
 */
const requestCodes: ReadonlySet<string> = new Set([
  'BadRequest',
  'ODataError',
  'InvalidInput',
  'InvalidRequestBody',
  'MissingRequiredParameter',
  'OsPlatformNotSupported',
  'ClientVersionNotSupported',
  'InvalidHashValue',
  'InvalidDomainName',
  'InvalidIpAddress',
  'InvalidUrl',
  'MaximumBatchSizeExceeded',
]);

/** These name the machine: whatever their message says of "no longer supported" is said of it, not of the API. */
const machineCodes: ReadonlySet<string> = new Set([
  'ResourceNotFound',
  'ActiveRequestAlreadyExists',
  'OsPlatformNotSupported',
  'ClientVersionNotSupported',
]);

const retiredCode =
  /retired|obsolete|decommissioned|discontinued|sunset|deprecated|^gone$|no_?longer_?(available|supported)/i;
const retiredWords =
  /\b(retired|decommissioned|discontinued|sunset|obsolete|(can(not)?|is|are|was|has been|be|been) no longer\b|no longer (available|supported|offered|exists?|possible)|removed|(deprecated|removed) and (\w+ ){0,2}(removed|deprecated))\b/i;
const namesTheCall =
  /\b(api|endpoint|route|url|operation|feature|capability|functionality|automated investigations?|initiateinvestigation|startinvestigation)\b/i;
const namesTheRequest = /\b(machine|device|host|agent|sensor|client|comment|token|user|application|group)\b/i;

/** Whether Defender refuses this machine or what was sent: documented for status 400. */
export function isRequestCode(status: number, code: string | undefined): boolean {
  return status === 400 && code !== undefined && requestCodes.has(code);
}

/** Whether Defender does not know the machine. `NotFound` is a route that it does not know. */
export function isUnknownMachine(status: number, code: string | undefined): boolean {
  return status === 404 && code === 'ResourceNotFound';
}

/** Undocumented for this call, recorded for machine actions; both statuses are conceivable. */
export function isAlreadyRunning(status: number, code: string | undefined): boolean {
  return (status === 400 || status === 409) && code === 'ActiveRequestAlreadyExists';
}

/** Whether an error document says that the call itself is no longer offered. How it would say so is not published. */
export function saysRetired({ errorCode: code, errorMessage: message = '' }: Said): boolean {
  if (code === undefined || machineCodes.has(code)) return false;
  if (retiredCode.test(code)) return true;
  return retiredWords.test(message) && (namesTheCall.test(message) || !namesTheRequest.test(message));
}

interface Said {
  readonly errorCode?: string | undefined;
  readonly errorMessage?: string | undefined;
}
