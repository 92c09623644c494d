/**
 * `/api/machines/{id}/{action}`, or the machine itself, with the id encoded as one path segment.
 * Throws RangeError for an empty id and for dot segments, which no encoding keeps from being resolved on the way.
 */
export function machinePath(machineId: string, action?: string): string {
  if (machineId === '' || machineId === '.' || machineId === '..') {
    throw new RangeError('the machine id is not a path segment');
  }
  const path = `/api/machines/${encodeURIComponent(machineId)}`;
  return action === undefined ? path : `${path}/${action}`;
}

/** The same of a machine action: `/api/machineactions/{id}/{what}`. */
export function actionPath(actionId: string, what: string): string {
  if (actionId === '' || actionId === '.' || actionId === '..') {
    throw new RangeError('the id of the action is not a path segment');
  }
  return `/api/machineactions/${encodeURIComponent(actionId)}/${what}`;
}
