import { createHook } from 'node:async_hooks';

/** How many names the system's resolver (`getaddrinfo`) was asked for in this process while `act` ran. */
export async function countSystemLookups(act: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const hook = createHook({
    init: (_id, type) => {
      if (type === 'GETADDRINFOREQWRAP') count += 1;
    },
  }).enable();
  try {
    await act();
    return count;
  } finally {
    hook.disable();
  }
}
