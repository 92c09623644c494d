/** A schema of OpenAPI 3.0 or 2.0, as far as it is looked at. */
export interface Schema {
  $ref?: string;
  type?: string;
  description?: string;
  nullable?: boolean;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: boolean | Schema;
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  [keyword: string]: unknown;
}

const inOpenApi = '#/components/schemas/';
const inSwagger = '#/definitions/';

/**
 * The same in the words of OpenAPI 2.0 and of Microsoft's connectors: alternatives become one object with the fields of all,
 * fields have titles, and an answer may have more fields than are named, so that a newer service is no fault.
 */
export function asSwaggerSchema(schema: Schema, schemas: Readonly<Record<string, Schema>>): Schema {
  const { $ref, oneOf, anyOf, allOf, nullable, properties, items, additionalProperties, ...rest } = schema;
  if ($ref !== undefined) return { $ref: $ref.replace(inOpenApi, inSwagger) };
  // A reference that has a description beside it.
  const [only] = allOf ?? [];
  if (only && allOf?.length === 1) return asSwaggerSchema(only, schemas);
  const alternatives = (oneOf ?? anyOf)?.filter((one) => one.type !== undefined || one.$ref !== undefined);
  const [first] = alternatives ?? [];
  // Of an answer with and without the scope `read` the former is described.
  if (anyOf && first?.$ref !== undefined) return asSwaggerSchema(first, schemas);
  if (alternatives && first) return asSwaggerSchema({ ...rest, ...merged(alternatives, schemas) }, schemas);
  return {
    ...rest,
    ...(nullable ? { 'x-nullable': true } : {}),
    ...(properties ? { properties: titled(properties, schemas) } : {}),
    ...(items ? { items: asSwaggerSchema(items, schemas) } : {}),
    ...(typeof additionalProperties === 'object' && Object.keys(additionalProperties).length > 0
      ? { additionalProperties: asSwaggerSchema(additionalProperties, schemas) }
      : {}),
  };
}

function titled(properties: Record<string, Schema>, schemas: Readonly<Record<string, Schema>>) {
  return Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => {
      const converted = asSwaggerSchema(schema, schemas);
      // Beside a reference nothing is read.
      return [
        name,
        converted.$ref === undefined ? { 'x-ms-summary': wordsOf(name), ...converted } : converted,
      ];
    }),
  );
}

/** One object with the fields of all alternatives; those that all of them have are required. */
function merged(alternatives: readonly Schema[], schemas: Readonly<Record<string, Schema>>): Schema {
  const whole = alternatives.map((one) => (one.$ref === undefined ? one : resolved(one.$ref, schemas)));
  const required = whole[0]?.required?.filter((name) => whole.every((one) => one.required?.includes(name)));
  const properties: Record<string, Schema> = {};
  for (const [name, schema] of whole.flatMap((one) => Object.entries(one.properties ?? {}))) {
    const before = properties[name];
    const values = before?.enum && schema.enum ? [...new Set([...before.enum, ...schema.enum])] : undefined;
    properties[name] = { ...(before ?? schema), ...(values ? { enum: values } : {}) };
  }
  return { type: 'object', properties, ...(required?.length ? { required } : {}) };
}

function resolved(reference: string, schemas: Readonly<Record<string, Schema>>): Schema {
  const schema = schemas[reference.replace(inOpenApi, '')];
  if (!schema) throw new Error(`no schema ${reference}`);
  return schema;
}

/** The schemas that something refers to, and those that they refer to. */
export function definitionsBehind(
  whole: object,
  schemas: Readonly<Record<string, Schema>>,
): Record<string, Schema> {
  const found: Record<string, Schema> = {};
  const wanted = referencesIn(whole);
  for (const name of wanted) {
    if (found[name]) continue;
    found[name] = asSwaggerSchema(resolved(inOpenApi + name, schemas), schemas);
    wanted.push(...referencesIn(found[name]));
  }
  return found;
}

function referencesIn(whole: object): string[] {
  return [...JSON.stringify(whole).matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g)].map(
    ([, name = '']) => name,
  );
}

/** A title for people: `expectedStartAt` is "Expected Start At", `machineId` "Machine ID". */
export function wordsOf(name: string): string {
  const words = name.replaceAll(/([a-z])([A-Z])/g, '$1 $2').split(/[\s-]+/);
  return words
    .map((word) =>
      word
        .replace(/^./, (letter) => letter.toUpperCase())
        .replace(/^(?:Id|Url|Aad)$/, (one) => one.toUpperCase()),
    )
    .join(' ');
}
