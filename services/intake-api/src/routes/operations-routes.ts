import { z } from 'zod';
import type { RouteDefinition, Route } from '../http/define-route.ts';

const health = z
  .strictObject({
    status: z.enum(['ok', 'unavailable']),
    version: z.string().describe('Of the service that answers.'),
    checks: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Health' });
const text = z.string();

/** Served by `ops-routes.ts`, as in every service; declared here. */
export const operationsRoutes: readonly Route<unknown>[] = [
  declare('/livez', {
    id: 'getLiveness',
    summary: 'Whether the process lives',
    answers: { 200: { description: 'It does.', schema: health } },
  }),
  declare('/readyz', {
    id: 'getReadiness',
    summary: 'Whether requests can be taken',
    answers: {
      200: { description: 'They can.', schema: health },
      503: { description: 'Redis takes no writes, or the service is being stopped.', schema: health },
    },
  }),
  declare('/metrics', {
    id: 'getMetrics',
    summary: 'Metrics for Prometheus',
    answers: {
      200: { description: 'In the text format.', mediaType: 'text/plain', schema: text },
      500: { description: 'They could not be collected.', mediaType: 'text/plain', schema: text },
    },
  }),
];

function declare(path: string, about: Pick<RouteDefinition, 'id' | 'summary' | 'answers'>): Route<unknown> {
  const definition = { method: 'get', path, tag: 'Operations', ...about } as const;
  return { method: 'get', path, definition, steps: () => [] };
}
