import { readFileSync } from 'node:fs';

/** Environment variables by name, as `process.env` has them. */
export type Env = Readonly<Record<string, string | undefined>>;

/** The environment with file-borne secrets filled in, and what was wrong with them, one line for each fault. */
export interface EnvWithSecrets {
  readonly env: Env;
  readonly faults: readonly string[];
}

/**
 * Containers hand secrets over as files: where `NAME_FILE` is set for one of the `names`, its trimmed content becomes
 * the value of `NAME`. A name set both ways, and a file that is empty or cannot be read, is a fault. An empty
 * variable counts as unset.
 */
export function withSecretFiles(env: Env, names: readonly string[]): EnvWithSecrets {
  const filled: Record<string, string | undefined> = { ...env };
  const faults: string[] = [];
  for (const name of names) {
    const path = env[`${name}_FILE`];
    if (!path) continue;
    if (env[name]) {
      faults.push(`${name}: set twice (expected ${name} or ${name}_FILE, not both)`);
      continue;
    }
    const content = readSecret(path);
    if (content.kind === 'secret') filled[name] = content.text;
    else faults.push(`${name}_FILE: ${content.why} (expected the path of a file that holds ${name})`);
  }
  return { env: filled, faults };
}

type Secret =
  { readonly kind: 'secret'; readonly text: string } | { readonly kind: 'none'; readonly why: string };

function readSecret(path: string): Secret {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return text === '' ? { kind: 'none', why: 'the file is empty' } : { kind: 'secret', text };
  } catch (error) {
    // Only the code: someone may have put the secret itself where a path belongs.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return { kind: 'none', why: `the file cannot be read, ${code}` };
  }
}
