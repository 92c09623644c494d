/** A machine id that no other number gives. */
export function machineId(number: number): string {
  return number.toString(16).padStart(40, '0');
}

/** An acceptable item. */
export function item(number: number, more: object = {}) {
  return { machineId: machineId(number), comment: 'Suspicious process tree', ...more };
}

/** An id of the right form that was never given out. */
export const unknownId = '01930000-0000-7000-8000-000000000000';

/** An address without a listener: what a service sees whose Redis is away. */
export const redisAway = { url: 'redis://127.0.0.1:1', isAway: true };
