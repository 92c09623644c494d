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

/**
 * ioredis and BullMQ have no codes for these; the words are of their version 6. Those of the second line are a Redis Cluster's,
 * that of the third one the sentinels'.
 */
const connectionMessages = new RegExp(
  [
    /^(?:Connection is closed|Connection ended before|Stream isn't writeable|Command timed out|Command aborted|connect ETIMEDOUT|Socket timeout)/,
    /^(?:Failed to refresh slots cache|Too many Cluster redirections|None of startup nodes|Cluster is|Cluster isn't ready)/,
    /^All sentinels are unreachable/,
  ]
    .map(({ source }) => source)
    .join('|'),
);

/**
 * Replies for which a command or a script of ours, or a record that it met, is at fault: it would get them from a server
 * in the best of health too. Closed, because the other list has no end: each version of Redis, each managed service and
 * each proxy has states of its own.
 */
const ownFaults: readonly RegExp[] = [
  // What accept.lua refuses with.
  /^(?:BACKLOG_FULL|ORDER_SCALE) /,
  // A key that holds something else. Redis 6.2 puts the place in the script in front.
  /(?:^|: )WRONGTYPE /,
  // Lua stopped at a line of a script. `@user_script` is only where a command was that Redis refused.
  /(?<!@)user_script:\d+: /,
  /^ERR Error compiling script/,
  /\b(?:value|number|score|min or max) is not (?:an integer|a valid float|a float|valid)/,
  /^ERR (?:syntax error|wrong number of arguments|Wrong number of args)/,
];

/**
 * Whether an error means that Redis could not be asked or could not carry it out now, and not a fault of ours: it is away,
 * loading, full, failing over, read-only, part of a cluster that has the key elsewhere, or does not let this user in.
 */
export function isRedisTrouble(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  if (error.name === 'MaxRetriesPerRequestError' || error.name === 'NotReplicatedError') return true;
  if (error.name === 'ReplyError') return isServerState(error);
  if ('code' in error && typeof error.code === 'string' && connectionCodes.has(error.code)) return true;
  return connectionMessages.test(error.message) || isRedisTrouble(error.cause);
}

function isServerState(reply: Error & { previousErrors?: unknown }): boolean {
  // A transaction is refused as a whole for what one of its commands was refused for.
  const { message, previousErrors } = reply;
  if (message.startsWith('EXECABORT') && Array.isArray(previousErrors) && previousErrors.length > 0)
    return previousErrors.some(isRedisTrouble);
  return !ownFaults.some((fault) => fault.test(message));
}

/** What a server's reply says of it, for logs and readiness. The first that fits counts; the codes may stand behind others. */
const states: readonly [RegExp, string][] = [
  [
    /\b(?:WRONGPASS|NOAUTH)\b|invalid (?:username-)?password/i,
    'refuses the user name or password in REDIS_URL',
  ],
  [
    /\bNOPERM\b|The user executing the script/,
    'does not allow its user a command or a key that is needed: docs/deploy.md',
  ],
  [/\bOOM\b/, 'is full: maxmemory is reached'],
  [/\bREADONLY\b/, 'is a read-only replica: a failover is going on, or REDIS_URL names the wrong node'],
  [/\bNOREPLICAS\b/, 'has fewer replicas than it must have to take writes'],
  [/\bMISCONF\b/, 'cannot write to its disk'],
  [/\bTRYAGAIN\b/, 'moves what is asked for to another server of its cluster'],
  [/\bCLUSTERDOWN\b/, 'is a node of a Redis Cluster in which the server of this queue is down'],
  [/\b(?:MOVED|ASK|CROSSSLOT)\b/, 'is a node of a Redis Cluster: name it in REDIS_CLUSTER_NODES'],
  [/\bLOADING\b/, 'is loading its data'],
  [/\bMASTERDOWN\b/, 'is a replica that has lost its primary'],
  [/\bBUSY\b/, 'is busy with a script that does not end'],
  [/max number of clients|request limit exceeded/, 'takes no more connections or commands'],
];

/** What the sentinels said last, which ioredis puts behind words of its own. */
const sentinelStates: readonly [RegExp, string][] = [
  [/^All sentinels.*\b(?:WRONGPASS|NOAUTH)\b/, 'is behind sentinels that refuse REDIS_SENTINEL_PASSWORD'],
  [/^All sentinels.*No such master/, 'is not known to the sentinels as REDIS_SENTINEL_NAME'],
];

const certificateCodes = /^(?:(?:DEPTH_ZERO_)?SELF_SIGNED_CERT|UNABLE_TO_|CERT_|ERR_TLS_CERT)/;

/** Why Redis cannot be used, as the end of a sentence that begins with it. Never a secret. */
export function describeRedisTrouble(error: unknown): string {
  if (!(error instanceof Error)) return 'does not answer';
  if (error.name === 'NotReplicatedError')
    return 'has fewer replicas that follow than REDIS_WAIT_REPLICAS asks for';
  // Of a Redis Cluster of which no node can be asked.
  if ('lastNodeError' in error && error.lastNodeError) return describeRedisTrouble(error.lastNodeError);
  if ('code' in error && certificateCodes.test(String(error.code)))
    return 'shows a certificate that is not trusted, or is not for its name: NODE_EXTRA_CA_CERTS';
  if (error.name !== 'ReplyError')
    return sentinelStates.find(([state]) => state.test(error.message))?.[1] ?? 'does not answer';
  return states.find(([state]) => state.test(error.message))?.[1] ?? 'refuses commands';
}
