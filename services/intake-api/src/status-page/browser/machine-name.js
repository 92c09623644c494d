/**
 * What a request or an item names its machine by: its id as soon as that is known.
 *
 * @param {{ machineId?: string | undefined, machineName?: string | undefined, aadDeviceId?: string | undefined }} named
 */
export function machineOf({ machineId, machineName, aadDeviceId }) {
  return machineId ?? machineName ?? aadDeviceId ?? '';
}

/** @param {Record<string, string> | undefined} correlation */
export function pairsText(correlation = {}) {
  return Object.entries(correlation)
    .map(([key, value]) => `${key}: ${value}`)
    .join(', ');
}
