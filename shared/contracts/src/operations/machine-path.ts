/**
 * `/api/machines/{id}/{action}` with the id encoded as one path segment.
 * Throws RangeError for an empty id and for dot segments, which no encoding keeps from being resolved on the way.
 */
export function machinePath(machineId: string, action: string): string {
  if (machineId === '' || machineId === '.' || machineId === '..') {
    throw new RangeError('the machine id is not a path segment');
  }
  return `/api/machines/${encodeURIComponent(machineId)}/${action}`;
}
