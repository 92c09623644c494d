import assert from 'node:assert/strict';
import type { Response } from 'supertest';
import { z } from 'zod';
import { errorCatalogue, type ErrorCode } from '../http/error-catalogue.ts';

const problemDocument = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
  instance: z.string(),
  code: z.string(),
  httpRequestId: z.string(),
  errors: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
});

export type ProblemDocument = z.output<typeof problemDocument>;

/** Asserts that a reply is this entry of the error catalogue as an RFC 9457 document, and returns it. */
export function expectProblem(response: Response, code: ErrorCode): ProblemDocument {
  const { status, title } = errorCatalogue[code];
  assert.equal(response.status, status, response.text);
  assert.match(response.headers['content-type'] ?? '', /^application\/problem\+json/);
  const problem = problemDocument.parse(JSON.parse(response.text));
  assert.deepEqual(
    { code: problem.code, status: problem.status, title: problem.title, type: problem.type },
    { code, status, title, type: `urn:diq:problem:${code}` },
  );
  assert.equal(problem.httpRequestId, response.headers['x-request-id']);
  return problem;
}
