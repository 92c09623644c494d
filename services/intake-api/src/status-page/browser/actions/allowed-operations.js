import { readOperations } from '../submit/operations.js';

/**
 * For which operations the signed-in person may ask: what a retry takes, beside the request being their own.
 *
 * @param {object} deps
 * @param {() => void} deps.onChange
 * @param {() => { base: string, operation: string }} deps.routes of the queue that is shown
 * @param {(scope: string) => boolean} deps.may
 */
export function createAllowedOperations({ onChange, routes, may }) {
  let readOf = '';
  /** @type {Map<string, boolean> | undefined} */
  let allowed;

  /** @param {{ base: string, operation: string }} at */
  async function read({ base, operation }) {
    readOf = base;
    allowed = undefined;
    const operations = await readOperations(base, operation);
    if (readOf !== base) return;
    allowed = new Map(operations.map(({ name, isAllowed }) => [name, isAllowed]));
    onChange();
  }

  return {
    /** No until it is known. Where it cannot be read the service decides. @param {string} operation */
    mayAskFor(operation) {
      const at = routes();
      if (readOf !== at.base) void read(at);
      return allowed !== undefined && (allowed.get(operation) ?? may('submit'));
    },
    clear() {
      readOf = '';
      allowed = undefined;
    },
  };
}
