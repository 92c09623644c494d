import { createServer, request as ask } from 'node:http';
import { duplexPair, Readable } from 'node:stream';
import type { RequestHandler } from 'express';
import { createStrictApp } from '@diq/runtime/http-server/strict-app.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { SourceBound } from '@diq/queue/admission/backlog-reservation.ts';
import { answerWithProblem, routeNotFound } from '../http/middleware/problem-response.ts';
import { RequestContext } from '../http/request-context.ts';

/** For whom a call is made that this service makes to its own routes. */
export interface Asking {
  /** Of the request that it is made for: who was let in, and by which id its log lines are found. */
  context: RequestContext;
  /** What is submitted has this source, of which so many may wait. */
  ofSource: SourceBound;
}

/**
 * Calls to the own routes, by HTTP over a pair of streams: no port is opened, and nothing but this process can ask. Who
 * asks was let in and counted before; scopes, tenants, ownership, bodies and Idempotency-Keys are the routes' own matter.
 *
 * @param api the routes
 */
export function createOwnCalls(api: RequestHandler, logger: Logger) {
  const askings = new WeakMap<object, Asking>();
  const app = createStrictApp();
  app.use((request, response, next) => {
    const asking = askings.get(request.socket);
    if (!asking) throw new Error('a call of nobody came over a stream of its own');
    const own = new RequestContext(asking.context.httpRequestId, logger);
    own.identified = asking.context.caller;
    own.trace = asking.context.trace;
    own.ofSource = asking.ofSource;
    response.locals['context'] = own;
    next();
  });
  app.use(api, routeNotFound, answerWithProblem);
  const server = createServer(app);

  return {
    /** The `fetch` of a client whose calls are this caller's. */
    fetchFor(asking: Asking): typeof fetch {
      return async (input, { method = 'GET', headers, body, signal } = {}) => {
        const { pathname, search } = new URL(input instanceof Request ? input.url : input);
        const [near, far] = duplexPair();
        askings.set(far, asking);
        // On Node 20 the other end of a pair does not see that one was destroyed: the route would go on for nothing.
        near.once('close', () => far.destroy());
        server.emit('connection', far);
        return await new Promise<Response>((resolve, reject) => {
          const asked = ask(
            {
              createConnection: () => near,
              method,
              path: pathname + search,
              headers: Object.fromEntries(new Headers(headers)),
              ...(signal && { signal }),
            },
            (answer) => {
              const { statusCode: status = 500, headersDistinct } = answer;
              const pairs = Object.entries(headersDistinct).flatMap(([name, values = []]) =>
                values.map((value): [string, string] => [name, value]),
              );
              resolve(new Response(Readable.toWeb(answer) as ReadableStream, { status, headers: pairs }));
            },
          );
          asked.on('error', reject);
          asked.end(typeof body === 'string' ? body : undefined);
        });
      };
    },
  };
}
