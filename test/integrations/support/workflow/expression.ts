/** What expressions of a workflow can ask for. */
export type Functions = Readonly<Record<string, (...values: unknown[]) => unknown>>;

/**
 * The value of what stands in a definition of a Logic App: `@expression`, text with `@{expression}` in it, or objects and
 * lists of these. Knows what the playbook in examples uses of the language, and throws at anything else.
 */
export function evaluate(value: unknown, functions: Functions): unknown {
  if (Array.isArray(value)) return value.map((one) => evaluate(one, functions));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, evaluate(one, functions)]));
  if (typeof value !== 'string') return value;
  if (/^@[^@{]/.test(value)) return parse(value.slice(1), functions);
  // No expression of the playbook has a brace in it.
  return value.replaceAll(/@\{([^}]*)\}/g, (_, text: string) => asText(parse(text, functions)));
}

export function asText(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function parse(text: string, functions: Functions): unknown {
  const tokens = text.match(/'(?:[^']|'')*'|\?\[|\?\.|[()[\],.]|[\w-]+|\S/g) ?? [];
  let at = 0;
  const take = (expected: string) => {
    if (tokens[at] !== expected)
      throw new Error(`${expected} expected at ${tokens[at] ?? 'the end'} in ${text}`);
    at += 1;
  };

  function primary(): unknown {
    const token = tokens[at++] ?? '';
    if (token.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'");
    if (/^-?\d+$/.test(token)) return Number(token);
    const call = functions[token];
    if (!call) throw new Error(`no function ${token}, which ${text} needs`);
    take('(');
    const values: unknown[] = [];
    while (tokens[at] !== ')') {
      values.push(expression());
      if (tokens[at] !== ')') take(',');
    }
    take(')');
    return call(...values);
  }

  function expression(): unknown {
    let value = primary();
    for (;;) {
      const token = tokens[at];
      if (token !== '[' && token !== '?[' && token !== '.' && token !== '?.') return value;
      at += 1;
      const isBracket = token.endsWith('[');
      const name = isBracket ? expression() : (tokens[at++] ?? '');
      if (isBracket) take(']');
      if (value === null || value === undefined) {
        if (token.startsWith('?')) continue;
        throw new Error(`${String(name)} of nothing, in ${text}`);
      }
      value = (value as Record<string, unknown>)[String(name)];
    }
  }

  const value = expression();
  if (at !== tokens.length) throw new Error(`${tokens[at]} left over in ${text}`);
  return value;
}
