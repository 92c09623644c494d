type Value = string | number | readonly string[] | Readonly<Record<string, string>> | undefined;

/** A path with its query. A list stands once for each of its values, an object as `name.key=value`. */
export function withQuery(path: string, query: object): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query) as [string, Value][]) {
    if (value === undefined) continue;
    if (typeof value !== 'object') parameters.append(name, String(value));
    else if (Array.isArray(value)) for (const one of value) parameters.append(name, String(one));
    else for (const [key, one] of Object.entries(value)) parameters.append(`${name}.${key}`, one);
  }
  return parameters.size === 0 ? path : `${path}?${parameters.toString()}`;
}
