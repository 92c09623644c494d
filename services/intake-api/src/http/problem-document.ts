import { z } from 'zod';
import { fieldFault } from '@diq/contracts/field-fault.ts';
import { errorCatalogue, type ErrorCode } from './error-catalogue.ts';

const codes = Object.keys(errorCatalogue) as ErrorCode[];

/** Every answer that is an error: RFC 9457, media type `application/problem+json`. */
export const problemDocument = z
  .strictObject({
    type: z.string().describe('`urn:diq:problem:` and the code.'),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional().describe('About this occurrence, for people.'),
    instance: z.string().describe('The path that was asked for.'),
    code: z.enum(codes).describe('Stable: what a program branches on.'),
    httpRequestId: z
      .string()
      .describe('The id of the HTTP request, also in `X-Request-Id` and in its log lines.'),
    errors: z.array(fieldFault).optional().describe('The fields at fault.'),
  })
  .meta({ id: 'Problem', description: 'An error, as of RFC 9457.' });

export type ProblemDocument = z.output<typeof problemDocument>;
