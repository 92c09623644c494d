/** Codes of the system when a connection cannot be made or breaks. */
const connectionCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** ioredis has no codes for these; the words are of its version 6. */
const connectionMessages =
  /^(?:Connection is closed|Stream isn't writeable|Command timed out|Command aborted|connect ETIMEDOUT|Socket timeout)/;

/**
 * Replies of a server that is there but cannot do its work now: loading, failing over, full, or locked. Inside a
 * script's error the code may stand behind `ERR`.
 */
const serverStates =
  /(?:^|\s|-)(?:LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|MISCONF|OOM|BUSY|NOAUTH|WRONGPASS|NOPERM)\s|max number of clients/;

/** Whether an error means that Redis could not be asked or could not carry it out now, and not a fault of ours. */
export function isRedisTrouble(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  if (error.name === 'MaxRetriesPerRequestError') return true;
  if (error.name === 'ReplyError') return serverStates.test(error.message);
  if ('code' in error && typeof error.code === 'string' && connectionCodes.has(error.code)) return true;
  return connectionMessages.test(error.message);
}
