/**
 * Skips the test that runs, or from a hook all tests of its suite. Mocha has no words for a skip, so they go into the
 * titles.
 */
export function skipBecause(context: Mocha.Context, reason: string): never {
  const running = context.test;
  const isHook = running !== undefined && Reflect.get(running, 'type') === 'hook';
  if (isHook) running.parent?.eachTest((test) => (test.title += ` (${reason})`));
  else if (running) running.title += ` (${reason})`;
  return context.skip();
}
