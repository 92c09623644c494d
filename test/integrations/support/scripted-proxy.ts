import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ScriptedAnswer {
  status: number;
  type?: string;
  body: string;
}

export type ScriptedProxy = Awaited<ReturnType<typeof startProxy>>;

/** A proxy in front of a service, which can be made to answer by itself. */
export async function startProxy(target: string) {
  let next: ScriptedAnswer[] = [];
  const server = createServer((incoming, outgoing) => {
    const scripted = next.shift();
    if (scripted) {
      const { status, type = 'application/json', body } = scripted;
      incoming
        .resume()
        .on('end', () => outgoing.writeHead(status, { 'content-type': type, 'retry-after': '0' }).end(body));
      return;
    }
    const { method, url, headers } = incoming;
    const passed = httpRequest(new URL(url ?? '/', target), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(passed);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answerFirst: (...answers: ScriptedAnswer[]) => void (next = answers),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
