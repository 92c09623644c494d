import type { Env } from './secret-file.ts';

/**
 * The environment as it was meant: without the blanks and line ends around a value that come along from files, pipes and
 * YAML. What held nothing else counts as unset, like an empty value.
 */
export function trimEnv(env: Env): Env {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value?.trim() || undefined]));
}
