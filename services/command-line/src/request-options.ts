import { operationNames } from '@diq/contracts/operations.ts';
import { priorities } from '@diq/contracts/priority.ts';
import type { RequestFilter } from '@diq/client/inputs.ts';
import { CommandFailure } from './command-failure.ts';

/** What requests are looked for by. */
export const filterOptions = {
  batch: { type: 'string', describe: 'requests of this batch' },
  source: { type: 'string', describe: 'requests of this source' },
  machine: { type: 'string', describe: 'requests for this machine id' },
  priority: { choices: priorities, describe: 'requests of this class' },
  correlation: { type: 'string', array: true, describe: 'key=value; all pairs must be there' },
} as const;

export const reasonOption = {
  reason: { type: 'string', describe: 'why, for the audit record' },
} as const;

/** Options of every command. */
export const sharedOptions = {
  json: { type: 'boolean', default: false, describe: 'answer in JSON' },
  profile: { type: 'string', describe: 'address and key of this profile' },
  'key-stdin': { type: 'boolean', default: false, describe: 'read the key from stdin' },
  tenant: { type: 'string', describe: 'the tenant, where the key reaches several' },
  operation: { choices: operationNames, describe: "the operation; without it the tenant's default" },
} as const;

interface FilterArgs {
  batch?: string | undefined;
  source?: string | undefined;
  machine?: string | undefined;
  priority?: (typeof priorities)[number] | undefined;
  correlation?: string[] | undefined;
}

export function filterOf({ batch, source, machine, priority, correlation }: FilterArgs): RequestFilter {
  const pairs = pairsOf(correlation);
  return { batchId: batch, source, machineId: machine, priority, correlation: pairs };
}

/** @throws CommandFailure for what is no key=value */
export function pairsOf(texts: readonly string[] | undefined): Record<string, string> | undefined {
  if (texts === undefined || texts.length === 0) return undefined;
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new CommandFailure('usage', `--correlation ${text}: must be key=value`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** Whether anything is looked for. */
export function isFilter(filter: RequestFilter): boolean {
  return Object.values(filter).some((value) => value !== undefined);
}
