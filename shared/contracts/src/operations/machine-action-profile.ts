import type { OperationProfile } from './profile.ts';
import { readAction } from './read-action.ts';

/**
 * What the operations that make a machine action have in common. Defender gives the comment back with the action, so a call
 * whose answer was lost is found for certain. A repeat while one is pending is answered with that one, or with a 400.
 */
export const machineActionProfile = {
  limits: [
    { calls: 100, windowMs: 60_000 },
    { calls: 1_500, windowMs: 3_600_000 },
  ],
  // The text says 201 for most of them, some examples show 200.
  accepted: [200, 201],
  alreadyRunning: { statuses: [400, 409], code: 'ActiveRequestAlreadyExists' },
  resultKind: 'machineAction',
  followForMs: 24 * 3_600_000,
  readResult: (body) => {
    const action = readAction(body);
    return action && { kind: 'machineAction', id: action.id, action };
  },
  correlation: 'requestorComment',
} as const satisfies Partial<OperationProfile>;

/** The operator's instructions for each hold of an operation whose call needs this application role. */
export function adviceFor(requiredRole: string) {
  return {
    retired:
      'Defender says that it no longer offers this call. Check its notices in the message centre, and cancel what need not wait.',
    disabled:
      'Defender says that this action is switched off for this tenant. Check the licence and the settings of Defender for Endpoint.',
    forbidden: `Defender or a gateway in front of it refuses the application. Check its role ${requiredRole}, its consent, and proxies in between.`,
  } as const;
}
