/**
 * What was given in a field of a form, without space around it; '' where the form has no such field.
 *
 * @param {FormData} data
 * @param {string} name
 */
export function textOf(data, name) {
  const value = data.get(name);
  return typeof value === 'string' ? value.trim() : '';
}
