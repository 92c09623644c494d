import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { z } from 'zod';

const attributes = z
  .array(z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) }))
  .transform((list) => Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]])));
const span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  attributes,
  links: z.array(z.object({ traceId: z.string() })).optional(),
  status: z.object({ code: z.number().optional() }).optional(),
});
const exported = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(z.object({ spans: z.array(span) })),
    }),
  ),
});

export type CollectedSpan = z.output<typeof span> & { service: string };

/** As OTLP numbers them. */
export const spanKinds = { internal: 1, server: 2, client: 3, consumer: 5 } as const;

/** An OpenTelemetry collector: OTLP over HTTP, JSON, on a free port. */
export async function startTraceCollector() {
  const spans: CollectedSpan[] = [];
  const headers: Record<string, unknown>[] = [];
  let text = '';
  const server = createServer((request, response) => {
    void (async () => {
      const body = await json(request);
      text += JSON.stringify(body);
      headers.push({ ...request.headers, url: request.url });
      for (const { resource, scopeSpans } of exported.parse(body).resourceSpans) {
        const service = String(resource.attributes['service.name']);
        for (const one of scopeSpans.flatMap((scope) => scope.spans)) spans.push({ ...one, service });
      }
      response.setHeader('Content-Type', 'application/json').end('{}');
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    spans,
    headers,
    /** All that was sent, to be searched. */
    text: () => text,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
