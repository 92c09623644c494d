import type { Caller } from './api-keys.ts';

/** Who presents a credential. `why` is for the caller, and repeats nothing of the credential. */
export type Identity = { kind: 'known'; caller: Caller } | { kind: 'unknown'; why: string };
