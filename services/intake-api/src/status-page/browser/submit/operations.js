import { readPage } from '../lists/paged-list.js';

/**
 * What can be asked for, as `GET /v1/operations` has it.
 *
 * @typedef {{ type?: string, enum?: string[], description?: string }} Parameter
 * @typedef {{ name: string, title: string, risk: string, scope: string, isAllowed: boolean,
 *   parameters: { properties?: Record<string, Parameter>, required?: string[] } }} Operation
 */

/**
 * @param {string} base
 * @param {string} operation
 * @returns {Promise<Operation[]>} none where they cannot be read
 */
export async function readOperations(base, operation) {
  const { rows } = await readPage(`${base}/operations${operation ? `?${operation}` : ''}`);
  return /** @type {Operation[]} */ (rows);
}

/**
 * What was given for the parameters of an operation, as the API takes it: text, or JSON where it takes more than that.
 *
 * @param {Operation | undefined} operation
 * @param {Record<string, string>} values of the form
 * @returns {{ parameters: Record<string, unknown>, fault: string }}
 */
export function parametersOf(operation, values) {
  /** @type {Record<string, unknown>} */
  const parameters = {};
  for (const [name, { type }] of Object.entries(operation?.parameters.properties ?? {})) {
    const text = (values[fieldOf(name)] ?? '').trim();
    if (text === '') continue;
    try {
      parameters[name] = type === 'string' || type === undefined ? text : JSON.parse(text);
    } catch {
      return { parameters: {}, fault: `${name} is no valid JSON.` };
    }
  }
  return { parameters, fault: '' };
}

/**
 * The name of its field in the form.
 *
 * @param {string} parameter
 */
export function fieldOf(parameter) {
  return `parameter.${parameter}`;
}
