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
  [
    /\b(?:MOVED|ASK|CROSSSLOT|CLUSTERDOWN|TRYAGAIN)\b/,
    'is a node of a Redis Cluster: REDIS_URL must name a single primary',
  ],
  [/\bLOADING\b/, 'is loading its data'],
  [/\bMASTERDOWN\b/, 'is a replica that has lost its primary'],
  [/\bBUSY\b/, 'is busy with a script that does not end'],
  [/max number of clients|request limit exceeded/, 'takes no more connections or commands'],
];

/** Why Redis cannot be used, as the end of a sentence that begins with it. Never a secret. */
export function describeRedisTrouble(error: unknown): string {
  if (!(error instanceof Error)) return 'does not answer';
  if (error.name !== 'ReplyError') return 'does not answer';
  return states.find(([state]) => state.test(error.message))?.[1] ?? 'refuses commands';
}
