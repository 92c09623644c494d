import { z } from 'zod';
import { endStatuses } from './defender/machine-actions.ts';

const wholeNumber = (least: number, most = Number.MAX_SAFE_INTEGER) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be between ${least} and ${most}`);

const duration = (leastMs: number) =>
  z.string().transform((text, context) => {
    const ms = durationMs(text);
    if (ms !== undefined && ms >= leastMs) return ms;
    context.addIssue(`must be a duration such as 250, 10s, 15m or 1h, at least ${leastMs} ms`);
    return z.NEVER;
  });

const flag = z.enum(['true', 'false'], 'must be true or false').transform((value) => value === 'true');

const names = z.string().transform((list) =>
  list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== ''),
);

/** What a call is answered while one of its kind runs on the machine. */
export const onRunningAnswers = ['new', 'existing', 'refuse'] as const;

const credentials = {
  tenantId: z.string('is required'),
  clientId: z.string('is required'),
  clientSecret: z.string('is required'),
};

/** Enough for every call that is played here. */
const usualRoles = [
  'Alert.ReadWrite.All',
  'Machine.Read.All',
  'Machine.Scan',
  'Machine.RestrictExecution',
  'Machine.Isolate',
  'Machine.CollectForensics',
  'Machine.LiveResponse',
  'Machine.StopAndQuarantine',
  'Machine.Offboard',
] as const;

const optional = {
  host: z.string().default('127.0.0.1'),
  port: wholeNumber(0, 65_535).default(8443),
  tlsNames: names.default([]),
  caFile: z.string().optional(),
  certFile: z.string().optional(),
  keyFile: z.string().optional(),
  federatedAssertion: z.string().optional(),
  clientCertificateFile: z.string().optional(),
  tokenLifetimeS: wholeNumber(1).default(3599),
  limit: wholeNumber(1).default(5),
  windowMs: duration(1).default(3_600_000),
  windowKind: z.enum(['rolling', 'fixed'], 'must be rolling or fixed').default('rolling'),
  countRefused: flag.default(false),
  retryAfterForm: z.enum(['seconds', 'http-date'], 'must be seconds or http-date').default('seconds'),
  onRunning: z.enum(onRunningAnswers, 'must be new, existing or refuse').default('new'),
  machinesFile: z.string().optional(),
  investigationMs: duration(0).default(480_000),
  actionMs: duration(0).default(480_000),
  actionPendingMs: duration(0).default(60_000),
  actionExpiryMs: duration(0).default(259_200_000),
  actionOutcome: z.enum(endStatuses, `must be one of ${endStatuses.join(', ')}`).default('Succeeded'),
  actionsPerMinute: wholeNumber(1).default(100),
  actionsPerHour: wholeNumber(1).default(1500),
  liveResponsesPerMinute: wholeNumber(1).default(10),
  liveSessions: wholeNumber(1).default(25),
  packageLinksPerMinute: wholeNumber(1).default(2),
  packageLinksPerHour: wholeNumber(1).default(120),
  linkMs: duration(0).default(1_800_000),
  roles: names.default([...usualRoles]),
  replicationDelayMs: duration(0).default(0),
  pageSize: wholeNumber(1, 10_000).default(10_000),
  readsPerMinute: wholeNumber(1).default(100),
  readsPerHour: wholeNumber(1).default(1500),
  controlKey: z.string().optional(),
};

const settingsSchema = z
  .object({ ...credentials, ...optional })
  .refine((settings) => (settings.certFile === undefined) === (settings.keyFile === undefined), {
    path: ['certFile'],
    message: 'and SIMULATOR_KEY_FILE go together: set both or neither',
    when: () => true,
  });

/** Everything that can be set. Durations are milliseconds (`Ms`) or seconds (`S`). */
export type SimulatorSettings = z.output<typeof settingsSchema>;

type Credentials = Pick<SimulatorSettings, keyof typeof credentials>;

/** Settings for use inside a process: the credentials, and whatever differs from the defaults. */
export type SimulatorOptions = Credentials & Partial<Omit<SimulatorSettings, keyof Credentials>>;

/** The environment variable of each setting. */
export const environmentNames: Record<keyof SimulatorSettings, string> = {
  host: 'SIMULATOR_HOST',
  port: 'SIMULATOR_PORT',
  tlsNames: 'SIMULATOR_TLS_NAMES',
  caFile: 'SIMULATOR_CA_FILE',
  certFile: 'SIMULATOR_CERT_FILE',
  keyFile: 'SIMULATOR_KEY_FILE',
  tenantId: 'SIMULATOR_TENANT_ID',
  clientId: 'SIMULATOR_CLIENT_ID',
  clientSecret: 'SIMULATOR_CLIENT_SECRET',
  federatedAssertion: 'SIMULATOR_FEDERATED_ASSERTION',
  clientCertificateFile: 'SIMULATOR_CLIENT_CERTIFICATE_FILE',
  tokenLifetimeS: 'SIMULATOR_TOKEN_LIFETIME',
  limit: 'SIMULATOR_LIMIT',
  windowMs: 'SIMULATOR_WINDOW',
  windowKind: 'SIMULATOR_WINDOW_KIND',
  countRefused: 'SIMULATOR_COUNT_REFUSED',
  retryAfterForm: 'SIMULATOR_RETRY_AFTER',
  onRunning: 'SIMULATOR_ON_RUNNING',
  machinesFile: 'SIMULATOR_MACHINES',
  investigationMs: 'SIMULATOR_INVESTIGATION_TIME',
  actionMs: 'SIMULATOR_ACTION_TIME',
  actionPendingMs: 'SIMULATOR_ACTION_PENDING_TIME',
  actionExpiryMs: 'SIMULATOR_ACTION_EXPIRY',
  actionOutcome: 'SIMULATOR_ACTION_OUTCOME',
  liveResponsesPerMinute: 'SIMULATOR_LIVE_RESPONSES_PER_MINUTE',
  liveSessions: 'SIMULATOR_LIVE_SESSIONS',
  packageLinksPerMinute: 'SIMULATOR_PACKAGE_LINKS_PER_MINUTE',
  packageLinksPerHour: 'SIMULATOR_PACKAGE_LINKS_PER_HOUR',
  linkMs: 'SIMULATOR_LINK_TIME',
  actionsPerMinute: 'SIMULATOR_ACTIONS_PER_MINUTE',
  actionsPerHour: 'SIMULATOR_ACTIONS_PER_HOUR',
  roles: 'SIMULATOR_ROLES',
  replicationDelayMs: 'SIMULATOR_REPLICATION_DELAY',
  pageSize: 'SIMULATOR_PAGE_SIZE',
  readsPerMinute: 'SIMULATOR_READS_PER_MINUTE',
  readsPerHour: 'SIMULATOR_READS_PER_HOUR',
  controlKey: 'SIMULATOR_CONTROL_KEY',
};

export type SettingsReading =
  { kind: 'settings'; settings: SimulatorSettings } | { kind: 'faults'; faults: string[] };

/** Reads the settings; blanks around a value do not count, and what holds nothing else is absent. All faults are reported together, without values. */
export function readSettings(environment: Record<string, string | undefined>): SettingsReading {
  const given: Record<string, string> = {};
  for (const [key, name] of Object.entries(environmentNames)) {
    const value = environment[name]?.trim();
    if (value !== undefined && value !== '') given[key] = value;
  }
  const parsed = settingsSchema.safeParse(given);
  if (parsed.success) return { kind: 'settings', settings: parsed.data };
  return { kind: 'faults', faults: parsed.error.issues.map(faultOf) };
}

/** The given options over the defaults. */
export function withDefaults(options: SimulatorOptions): SimulatorSettings {
  return { ...z.object(optional).parse({}), ...options };
}

function faultOf(issue: z.core.$ZodIssue): string {
  const key = String(issue.path[0]) as keyof SimulatorSettings;
  return `${environmentNames[key]} ${issue.message}`;
}

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of `250`, `250ms`, `10s`, `15m` or `1h`; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d+)(ms|s|m|h)?$/.exec(text.trim());
  if (match === null) return undefined;
  const unit = (match[2] ?? 'ms') as keyof typeof unitMs;
  return Number(match[1]) * unitMs[unit];
}
