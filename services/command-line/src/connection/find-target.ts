import { CommandFailure } from '../command-failure.ts';
import { readStdin, type Io } from '../io.ts';
import { profilePathIn, readProfile } from './read-profile.ts';

/** Where the service is, and with which key it is asked. */
export interface Target {
  url: string;
  key: string;
  tenant: string | undefined;
  /** For people: where address and key come from. */
  source: string;
}

const maxKeyBytes = 64 * 1_024;

/**
 * Address and key: of the profile that was named, else of the environment, else of the profile `default`. Both come from one
 * place, so that a key never goes to an address that it was not meant for; only a key from stdin takes the other's place.
 *
 * @throws CommandFailure
 */
export async function findTarget(
  { profile, keyStdin }: { profile?: string | undefined; keyStdin?: boolean | undefined },
  io: Io,
): Promise<Target> {
  const { env } = io;
  const name = profile ?? (env['DIQ_PROFILE'] || undefined);
  const given = keyStdin ? await keyFromStdin(io) : undefined;
  if (name === undefined && (env['DIQ_URL'] || env['DIQ_API_KEY'])) {
    const url = env['DIQ_URL'];
    const key = given ?? env['DIQ_API_KEY'];
    if (!url) throw new CommandFailure('access', 'DIQ_URL is not set, and DIQ_API_KEY is.');
    if (!key) throw new CommandFailure('access', 'DIQ_API_KEY is not set, and DIQ_URL is.');
    return checked({ url, key, tenant: env['DIQ_TENANT'] || undefined, source: 'the environment' });
  }
  const path = profilePathIn(io);
  const found = await readProfile(path, name ?? 'default');
  if (!found) {
    throw new CommandFailure('access', 'There is no address and no key.', [
      `  Set DIQ_URL and DIQ_API_KEY, or write ${path} (mode 600):`,
      '  { "default": { "url": "https://queue.example", "key": "…" } }',
    ]);
  }
  const { url, key, tenant } = found;
  return checked({ url, key: given ?? key, tenant, source: `profile '${name ?? 'default'}' of ${path}` });
}

function checked(target: Target): Target {
  const { url, key, source } = target;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isPlain = parsed && !parsed.username && !parsed.password && !parsed.search && !parsed.hash;
  if (!isPlain || !/^https?:$/.test(parsed.protocol))
    throw new CommandFailure(
      'access',
      `The address of ${source} is none of http or https without user and query.`,
    );
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new CommandFailure('access', `The key of ${source} has characters that no key has.`);
  return target;
}

async function keyFromStdin(io: Io): Promise<string> {
  const text = await readStdin(io, maxKeyBytes).catch(() => Buffer.alloc(0));
  const key = text.toString('utf8').trim();
  if (key === '') throw new CommandFailure('access', 'No key came from stdin.');
  return key;
}
