/**
 * What came of what a call started. `running` until its end was observed; `unknown` where none was, or where Defender's state
 * says neither.
 */
export const resultOutcomes = ['running', 'succeeded', 'failed', 'cancelled', 'unknown'] as const;

export type ResultOutcome = (typeof resultOutcomes)[number];

/** Each result that is followed ends in one of them, once. */
export const endOutcomes = ['succeeded', 'failed', 'cancelled', 'unknown'] as const;

export type EndOutcome = (typeof endOutcomes)[number];

/**
 * Why an outcome is `unknown`: Defender did not show an end for as long as it was followed (`not_ended`), did not show the result
 * at all (`not_shown`) or for another machine alone (`other_machine`), could not be read (`not_readable`), or closed it in a state that is
 * none of an end (`unfamiliar`).
 */
export const unknownReasons = [
  'not_ended',
  'not_shown',
  'other_machine',
  'not_readable',
  'unfamiliar',
] as const;

export type UnknownReason = (typeof unknownReasons)[number];

/** The same for people. */
export const reasonTexts = {
  not_ended: 'Defender showed no end of it for as long as it was followed.',
  not_shown: 'Defender did not show it for as long as it was followed.',
  other_machine:
    'Defender shows its id for another machine alone. Records of machines may have been merged: look it up in the portal, and ask again if it did not run on the machine that was meant.',
  not_readable: 'Defender could not be read for as long as it was followed.',
  unfamiliar: 'Defender closed it in a state that says neither success nor failure.',
} as const satisfies Record<UnknownReason, string>;
