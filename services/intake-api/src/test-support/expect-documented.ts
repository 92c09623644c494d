import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Response } from 'supertest';
import { createOpenApiDocument } from '../openapi/create-document.ts';
import { definitions } from '../routes/index.ts';

/** What the document says of one status. */
interface DocumentedAnswer {
  headers: Record<string, { required?: boolean }>;
  /** None where there is no body. */
  content?: Record<string, object>;
}

type Paths = Record<string, Record<string, { responses: Record<string, DocumentedAnswer> } | undefined>>;

let judge: ((response: Response) => void) | undefined;

/**
 * Asserts that an answer is one that the OpenAPI document promises: status, headers, media type and body. Answers about
 * paths and methods that it does not name must be problems.
 */
export function expectDocumented(response: Response): void {
  judge ??= createJudge();
  judge(response);
}

function createJudge(): (response: Response) => void {
  const document = createOpenApiDocument(definitions);
  const paths = document.paths as unknown as Paths;
  const ajv = new Ajv2020({ strict: false, validateFormats: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'document');
  const templates = Object.keys(paths).map((template) => ({
    template,
    pattern: new RegExp(`^${template.replaceAll(/[.]/g, String.raw`\.`).replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  }));
  const compiled = new Map<string, ValidateFunction>();
  const validatorAt = (pointer: string): ValidateFunction => {
    const known = compiled.get(pointer) ?? ajv.compile({ $ref: `document#${pointer}` });
    compiled.set(pointer, known);
    return known;
  };

  return (response) => {
    const { method, pathname } = askedFor(response);
    // Where paths overlap, the one that is spelt out is meant.
    const template = templates
      .filter(({ pattern }) => pattern.test(pathname))
      .toSorted((a, b) => a.template.split('{').length - b.template.split('{').length)[0]?.template;
    const answers = template === undefined ? undefined : paths[template]?.[method]?.responses;
    if (template === undefined || answers === undefined) {
      if (response.status >= 400) assertValid(validatorAt('/components/schemas/Problem'), response);
      return;
    }
    const about = `${method.toUpperCase()} ${template} ${response.status}`;
    const answer = answers[String(response.status)];
    assert.ok(answer, `${about} is not documented: ${response.text.slice(0, 500)}`);
    for (const [name, { required }] of Object.entries(answer.headers)) {
      if (required === true) assert.ok(response.headers[name.toLowerCase()], `${about} lacks ${name}`);
    }
    if (answer.content === undefined) return assert.equal(response.text, '', about);
    const mediaType = Object.keys(answer.content).find((type) => response.type === type);
    assert.ok(mediaType, `${about} is ${response.type}, not ${Object.keys(answer.content).join()}`);
    if (!mediaType.endsWith('json')) return;
    const steps = [
      'paths',
      template,
      method,
      'responses',
      String(response.status),
      'content',
      mediaType,
      'schema',
    ];
    assertValid(validatorAt(steps.map((step) => `/${escapeStep(step)}`).join('')), response);
  };
}

/** Of a JSON pointer in a URI fragment. */
function escapeStep(step: string): string {
  return encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'));
}

function askedFor(response: Response): { method: string; pathname: string } {
  const { method, url } = response.request as unknown as { method: string; url: string };
  return { method: method.toLowerCase(), pathname: new URL(url).pathname };
}

function assertValid(validate: ValidateFunction, response: Response): void {
  const isValid = validate(JSON.parse(response.text));
  const faults = JSON.stringify(validate.errors?.slice(0, 5));
  assert.ok(
    isValid,
    `${response.status} is not as documented: ${faults} in ${response.text.slice(0, 1_000)}`,
  );
}
