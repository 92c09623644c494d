import { mostMachines, readMachines } from './read-machines.js';
import { parametersOf } from './operations.js';

/** @typedef {import('./read-machines.js').Machines} Machines */

/**
 * A batch that is ready to be sent, always under the same key.
 *
 * @typedef {{ body: Record<string, unknown>, machines: Machines, key: string }} Composed
 */

/**
 * @param {Record<string, string>} values of the form
 * @param {import('./operations.js').Operation | undefined} operation
 * @returns {{ composed?: Composed, faults: string[] }}
 */
export function composeBatch(values, operation) {
  const machines = readMachines(values['machines'] ?? '');
  const { parameters, fault } = parametersOf(operation, values);
  const faults = [...machines.faults, ...(fault ? [fault] : [])];
  if (machines.lines.length === 0 && faults.length === 0) faults.push('Name at least one machine.');
  if (machines.lines.length > mostMachines)
    faults.push(
      `${machines.lines.length} machines are more than a batch can have (${mostMachines}): split them.`,
    );
  if (faults.length > 0) return { faults };
  const { comment = '', priority = '', source = '', key = '', value = '' } = trimmed(values);
  const correlation = key && value ? { [key]: value } : {};
  const defaults = {
    ...(comment ? { comment } : {}),
    ...(priority ? { priority } : {}),
    ...(source ? { source } : {}),
    ...(key && value ? { correlation } : {}),
    ...(Object.keys(parameters).length > 0 ? { parameters } : {}),
  };
  const requests = machines.lines.map(({ item }) =>
    item.correlation ? { ...item, correlation: { ...correlation, ...item.correlation } } : item,
  );
  const body = { ...(operation ? { operation: operation.name } : {}), defaults, requests };
  return { composed: { body, machines, key: newKey() }, faults: [] };
}

/** `crypto.randomUUID` is there on https pages alone. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** @param {Record<string, string>} values */
function trimmed(values) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.trim()]));
}
