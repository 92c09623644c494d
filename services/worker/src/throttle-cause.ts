/** Label values of `diq_defender_throttled_total{cause}`. */
export const throttleCauses = ['own', 'external'] as const;

export type ThrottleCause = (typeof throttleCauses)[number];

/**
 * Whose calls a 429 follows: with permits to spare by our own books, somebody else uses the same quota.
 *
 * @param used permits out when the throttled call was made, its own included
 */
export function throttleCause(used: number, limit: number): ThrottleCause {
  return used < limit ? 'external' : 'own';
}
