import { isNode, LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import {
  operationNames,
  operationQuotas,
  usualOperationNames,
  type Limit,
  type OperationName,
} from '@diq/contracts/operations.ts';
import { duration } from '@diq/runtime/settings/setting-kinds.ts';
import { duplicates, type Identity } from './duplicate-tenants.ts';
import { authorityHost, defenderBaseUrl } from './hosts.ts';
import { portalOf } from './portal.ts';
import { queuesOf, tenantName, type Credential, type QueueRules, type ReachableTenant } from './tenant.ts';
import { pathName, safeName, type Locate, type TenantsFault } from './tenants-fault.ts';

export type ParsedTenants =
  | { readonly ok: true; readonly tenants: readonly ReachableTenant[] }
  | { readonly ok: false; readonly faults: readonly TenantsFault[] };

const day = 24 * 3_600_000;
const maxTenants = 5_000;
const maxWindows = 3;
const text = (expected: string) => z.string({ error: `expected ${expected}` }).trim();
const filePath = () =>
  text('the path of a file').regex(/^[^\p{Cc}]{1,4096}$/u, { error: 'expected the path of a file' });

const limit = z.strictObject({
  calls: z.int({ error: 'expected a whole number' }).min(1).max(10_000),
  window: z
    .union([z.string(), z.number()], { error: 'expected a duration, such as 1m or 1h' })
    .transform(String)
    // A timer of Node's takes 24 days at most, and a permit is one.
    .pipe(duration({ minMs: 100, maxMs: 20 * day })),
});

const rules = z
  .strictObject({
    limits: z
      .array(limit, { error: 'expected a list of limits' })
      .min(1)
      .max(maxWindows)
      .refine((limits) => new Set(limits.map(({ window }) => window)).size === limits.length, {
        error: 'two limits have the same window (expected one for each)',
      })
      .optional(),
    reserveForCritical: z.int({ error: 'expected a whole number' }).min(0).max(9_999).default(0),
  })
  .nullish();

const operations = z
  .record(z.string(), rules, { error: 'expected the operations by name' })
  .transform((given, context): Map<OperationName, QueueRules> => {
    const found = new Map<OperationName, QueueRules>();
    const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    for (const [name, one] of Object.entries(given)) {
      const operation = operationNames.find((known) => known === name);
      if (operation === undefined) {
        refuse([name], unknownOperation());
        continue;
      }
      const limits =
        one?.limits?.map(({ calls, window }): Limit => ({ calls, windowMs: window })) ??
        operationQuotas[operation].limits;
      const reserveForCritical = one?.reserveForCritical ?? 0;
      if (limits.every(({ calls }) => reserveForCritical < calls))
        found.set(operation, { limits, reserveForCritical });
      else
        refuse(
          [name, 'reserveForCritical'],
          'leaves nothing for the others (expected less than the calls of each limit)',
        );
    }
    if (Object.keys(given).length === 0) refuse([], 'is empty (expected at least one operation)');
    return found;
  });

const tenant = z.strictObject({
  name: text('up to 40 of a-z, 0-9 and -').regex(tenantName, {
    error: 'expected up to 40 of a-z, 0-9 and -, with none of - at its ends',
  }),
  tenantId: text('a GUID')
    .pipe(z.guid({ error: 'expected a GUID' }))
    .transform((id) => id.toLowerCase()),
  clientId: text('a GUID').pipe(z.guid({ error: 'expected a GUID' })),
  clientSecretFile: filePath().optional(),
  clientCertificatePath: filePath().optional(),
  federatedTokenFile: filePath().optional(),
  authorityHost: text('an https:// origin')
    .pipe(authorityHost())
    .default('https://login.microsoftonline.com'),
  defenderBaseUrl: text('an https:// URL')
    .pipe(defenderBaseUrl())
    .default('https://api.securitycenter.windows.com'),
  defenderScope: text('a scope').default('https://api.securitycenter.microsoft.com/.default'),
  defaultOperation: z.enum(usualOperationNames, { error: expectedOperation(usualOperationNames) }).optional(),
  operations: operations.prefault({ initiateInvestigation: undefined }),
});

const file = z.strictObject({
  tenants: z.array(z.unknown(), { error: 'expected a list of tenants' }).max(maxTenants),
});

/** Reads a tenants file, YAML or JSON. Faults name line and field; all of them are found at once. */
export function parseTenants(content: string): ParsedTenants {
  const json = plainJson(content);
  // Lines are known to the other way only; it takes a hundred times as long.
  const parsed = json && parseFile(json.value, () => 1);
  return parsed?.ok ? parsed : parseYaml(content);
}

function parseYaml(content: string): ParsedTenants {
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false });
  const syntax = document.errors.map(({ code, pos }) => ({
    line: lines.linePos(pos[0]).line,
    message: `is no YAML (${code.toLowerCase().replaceAll('_', ' ')})`,
  }));
  if (syntax.length > 0) return { ok: false, faults: syntax };
  const locate = (path: readonly PropertyKey[]) => lineOf(document, lines, path);
  let given: unknown;
  try {
    given = document.toJS();
  } catch {
    return { ok: false, faults: [{ line: 1, message: 'is too deep, or repeats too much by reference' }] };
  }
  return parseFile(given, locate);
}

/** What a JSON text holds; `undefined` for any other, and for one in which a field stands twice, of which JSON would take the last. */
function plainJson(content: string): { readonly value: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(content);
    const named = content.match(/"(?:[^"\\]|\\.)*"(?:\s*:)?/g)?.filter((text) => text.endsWith(':')) ?? [];
    return named.length === countFields(value) ? { value } : undefined;
  } catch {
    // No JSON, or too deep to count.
    return undefined;
  }
}

function countFields(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const parts: unknown[] = Object.values(value);
  const own = Array.isArray(value) ? 0 : parts.length;
  return parts.reduce((sum: number, part) => sum + countFields(part), own);
}

function parseFile(given: unknown, locate: Locate): ParsedTenants {
  const read = file.safeParse(given);
  if (!read.success)
    return { ok: false, faults: read.error.issues.flatMap((one) => describeIssue(one, [], locate)) };
  const parsed = read.data.tenants.map((entry, index) => parseTenant(entry, index, locate));
  const tenants = parsed.flatMap((one) => ('name' in one ? one : []));
  const faults = parsed.flatMap((one) => ('name' in one ? [] : one));
  const identities = parsed.map((one, index) =>
    'name' in one ? identityRead(one) : identityGiven(read.data.tenants[index]),
  );
  faults.push(...duplicates(identities, locate));
  return faults.length > 0 ? { ok: false, faults } : { ok: true, tenants };
}

function parseTenant(entry: unknown, index: number, locate: Locate): ReachableTenant | TenantsFault[] {
  const read = tenant.safeParse(entry);
  const above = ['tenants', index];
  if (!read.success) {
    const faults = [
      ...read.error.issues.flatMap((issue) => describeIssue(issue, above, locate)),
      ...unlookedFaults(entry, read.error.issues, (field, message) => ({
        line: locate([...above, ...field]),
        message: `${pathName([...above, ...field])}: ${message}`,
      })),
    ];
    const byMessage = new Map(faults.map((fault) => [fault.message, fault]));
    return [...byMessage.values()].toSorted((a, b) => a.line - b.line);
  }
  const { name, tenantId, clientId, authorityHost, operations, ...given } = read.data;
  const credentials = credentialsOf(read.data);
  const [credential] = credentials;
  const first = [...operations.keys()].find((one) => usualOperationNames.includes(one));
  const defaultOperation = given.defaultOperation ?? first;
  const faults: TenantsFault[] = [];
  const refuse = (field: string, message: string) =>
    faults.push({ line: locate([...above, field]), message: `${pathName([...above, field])}: ${message}` });
  if (credentials.length !== 1) refuse('name', notOneCredential);
  if (defaultOperation && !operations.has(defaultOperation)) {
    refuse('defaultOperation', "is none of the tenant's operations (expected one of them)");
  }
  if (!defaultOperation)
    refuse('operations', `name none that can be the default (${expectedOperation(usualOperationNames)})`);
  if (faults.length > 0 || !credential || !defaultOperation) return faults;
  const { defenderBaseUrl: baseUrl, defenderScope: scope } = given;
  const portal = portalOf(baseUrl);
  return {
    name,
    tenantId,
    ...(portal === undefined ? {} : { portal }),
    defaultOperation,
    operations,
    access: { clientId, credential, authorityHost, baseUrl, scope },
  };
}

const credentialFields = ['clientSecretFile', 'clientCertificatePath', 'federatedTokenFile'] as const;
const notOneCredential = `has no credential, or several (expected one of ${credentialFields.join(', ')})`;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Faults of an entry that are not looked for where a field of it has one: who mends that should not meet them next. */
function unlookedFaults(
  entry: unknown,
  issues: readonly z.core.$ZodIssue[],
  fault: (field: readonly string[], message: string) => TenantsFault,
): TenantsFault[] {
  if (!isObject(entry)) return [];
  const { operations: given } = entry;
  const unknown = Object.keys(isObject(given) ? given : {}).filter(
    (name) => !operationNames.some((known) => known === name),
  );
  const credentials = credentialFields.filter((field) => (entry[field] ?? undefined) !== undefined).length;
  // The field of another name may be meant to be one.
  const mayBeMisnamed = issues.some(({ code, path }) => code === 'unrecognized_keys' && path.length === 0);
  return [
    ...(credentials === 1 || (credentials === 0 && mayBeMisnamed) ? [] : [fault(['name'], notOneCredential)]),
    ...unknown.map((name) => fault(['operations', name], unknownOperation())),
  ];
}

function credentialsOf(entry: z.output<typeof tenant>): Credential[] {
  const { clientSecretFile, clientCertificatePath, federatedTokenFile } = entry;
  const given: (Credential | undefined)[] = [
    clientSecretFile === undefined ? undefined : { kind: 'secret_file', path: clientSecretFile },
    clientCertificatePath === undefined ? undefined : { kind: 'certificate', path: clientCertificatePath },
    federatedTokenFile === undefined ? undefined : { kind: 'federated', path: federatedTokenFile },
  ];
  return given.filter((one) => one !== undefined);
}

const identityRead = (one: ReachableTenant): Identity => [
  ['name', one.name],
  ['tenantId', one.tenantId],
  // Two queues whose ids lead to the same place: about one chance in 10,000 among 1,000 queues.
  ...queuesOf(one).map(({ tag }) => ['tenantId', `tag ${tag}`] as const),
];

/** Of an entry with faults, what is right of it. */
function identityGiven(entry: unknown): Identity {
  const given = isObject(entry) ? entry : {};
  const { name, tenantId } = tenant.shape;
  const [read, id] = [name.safeParse(given['name']), tenantId.safeParse(given['tenantId'])];
  return [
    ...(read.success ? [['name', read.data] as const] : []),
    ...(id.success ? [['tenantId', id.data] as const] : []),
  ];
}

function describeIssue(
  issue: z.core.$ZodIssue,
  above: readonly PropertyKey[],
  locate: Locate,
): TenantsFault[] {
  const path = [...above, ...issue.path];
  if (issue.code !== 'unrecognized_keys') {
    return [{ line: locate(path), message: `${pathName(path)}: ${issue.message}` }];
  }
  return issue.keys.map((key) => ({
    line: locate([...path, key]),
    message: `${pathName(path)}: '${safeName(key)}' is not known here`,
  }));
}

/** The line of the innermost thing on the path that is there. */
function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

function unknownOperation(): string {
  return `is an unknown operation (${expectedOperation()})`;
}

function expectedOperation(names = operationNames): string {
  return `expected one of ${names.join(', ')}`;
}
