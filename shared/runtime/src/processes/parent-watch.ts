import type { Env } from '../settings/secret-file.ts';

/** Often enough that a restart by a supervisor finds the ports free, rare enough to cost nothing. */
const checkEveryMs = 250;

/**
 * Calls `onGone` once when the process that started this one has ended without passing a signal on:
 *
 * - A parent with an IPC channel, killed: the channel closes.
 * - npm, ended by SIGTERM: it ends the shell between it and this process, and the shell passes nothing on. Only under npm
 *   is a new parent taken for that; a process sent to the background outlives the shell that started it.
 */
export function watchParent(env: Env, onGone: () => void): void {
  if (process.connected) process.on('disconnect', onGone);
  if (env['npm_lifecycle_event'] === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onGone();
  }, checkEveryMs);
  timer.unref();
}
