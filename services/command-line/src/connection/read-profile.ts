import { open } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { parseJson } from '@diq/client/parse-json.ts';
import { fieldFaults } from '@diq/contracts/field-fault.ts';
import { CommandFailure } from '../command-failure.ts';
import type { Io } from '../io.ts';

const profile = z.strictObject({ url: z.string(), key: z.string().min(1), tenant: z.string().optional() });
const profiles = z.record(z.string(), profile);

export type Profile = z.output<typeof profile>;

const maxFileBytes = 256 * 1_024;

export function profilePathIn({ env, homeFolder }: Pick<Io, 'env' | 'homeFolder'>): string {
  if (env['DIQ_PROFILES']) return env['DIQ_PROFILES'];
  return join(env['XDG_CONFIG_HOME'] || join(homeFolder, '.config'), 'diq', 'profiles.json');
}

/**
 * The profile of this name; `undefined` where there is no file.
 *
 * @throws CommandFailure for a file that others can read, that cannot be read, or lacks the profile
 */
export async function readProfile(path: string, name: string): Promise<Profile | undefined> {
  const text = await readOwn(path);
  if (text === undefined) return undefined;
  const parsed = profiles.safeParse(parseJson(text), { reportInput: true });
  if (!parsed.success) {
    const faults = fieldFaults(parsed.error).map(
      ({ path: field, message }) => `  ${field || 'the file'}: ${message}`,
    );
    throw new CommandFailure('access', `${path} is not as it should be.`, faults);
  }
  const found = Object.hasOwn(parsed.data, name) ? parsed.data[name] : undefined;
  if (!found) {
    const known = Object.keys(parsed.data).join(', ') || 'none';
    throw new CommandFailure('access', `${path} has no profile '${name}' (it has: ${known}).`);
  }
  return found;
}

/** The mode is that of the opened file: a path could lead to another one by the time it is read. */
async function readOwn(path: string): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new CommandFailure('access', `${path} cannot be read.`);
  });
  if (!file) return undefined;
  try {
    const { mode, size, uid } = await file.stat();
    const isForOthers = process.platform !== 'win32' && (mode & 0o077) !== 0;
    if (isForOthers) throw new CommandFailure('access', `${path} can be read by others: chmod 600 ${path}`);
    const self = process.getuid?.();
    if (self !== undefined && uid !== self)
      throw new CommandFailure('access', `${path} belongs to another user.`);
    if (size > maxFileBytes) throw new CommandFailure('access', `${path} is too large.`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
