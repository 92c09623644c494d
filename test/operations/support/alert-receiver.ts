import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { waitFor } from '@diq/testing/wait-for.ts';
import { z } from 'zod';

const notification = z.object({
  truncatedAlerts: z.number().default(0),
  alerts: z.array(
    z.object({
      status: z.enum(['firing', 'resolved']),
      labels: z.record(z.string(), z.string()),
      annotations: z.record(z.string(), z.string()),
    }),
  ),
});

export type Notification = z.output<typeof notification>;

export type ReceivedAlert = Notification['alerts'][number];

/** Receives what Alertmanager sends to the person on call. */
export async function startAlertReceiver() {
  const received: ReceivedAlert[] = [];
  const messages: Notification[] = [];
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const message = notification.parse(await json(request));
    messages.push(message);
    received.push(...message.alerts);
    response.end();
  };
  const server = createServer((request, response) => void receive(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = z.object({ port: z.number() }).parse(server.address());
  return {
    url: `http://127.0.0.1:${port}/`,
    received,
    /** Each with the alerts that it names. */
    messages,
    until: (alertname: string, status: ReceivedAlert['status']) =>
      waitFor(
        () => received.find((alert) => alert.labels['alertname'] === alertname && alert.status === status),
        { what: `${alertname} ${status}`, timeoutMs: 60_000 },
      ),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
