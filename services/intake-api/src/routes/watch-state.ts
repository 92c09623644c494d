import type { Response } from 'express';
import { z } from 'zod';
import type { Dependencies } from '../dependencies.ts';
import { defineRoute } from '../http/define-route.ts';
import { ProblemError } from '../http/problem-error.ts';
import { contextOf } from '../http/request-context.ts';
import type { Listener } from '../live-state/state-feed.ts';

/** When a browser that lost the connection comes back. */
const reconnectMs = 1_000;
const fullRetryAfterSeconds = 30;
/** Several documents: a reader that is so far behind does not read. */
const maxUnreadBytes = 256 * 1_024;

export const watchState = defineRoute({
  method: 'get',
  path: '/v1/events',
  id: 'watchState',
  tag: 'Quota and queue',
  summary: 'Stream the changes of the state',
  description:
    'Server-sent events, at most one per second. For pages; programs ask `GET /v1/quota` at intervals.',
  scope: 'read',
  queue: 'query',
  answers: {
    200: {
      description: 'The state now, and after each change.',
      mediaType: 'text/event-stream',
      schema: z.string(),
    },
  },
  problems: ['too_many_listeners'],
  async handle({ context, request, response }, { stateFeed }: Pick<Dependencies, 'stateFeed'>) {
    const listener = listenerFor(response);
    const stop = await stateFeed.listen(listener, context.caller.name, context.isSignedIn);
    if (typeof stop === 'string') {
      const whose =
        stop === 'full' ? 'Too many event streams are open.' : 'Too many of your event streams are open.';
      throw new ProblemError('too_many_listeners', {
        detail: `${whose} Poll GET /v1/quota instead, or try again later.`,
        headers: { 'Retry-After': String(fullRetryAfterSeconds) },
      });
    }
    response.once('close', stop);
    // Gone while the first state was read: its `close` came too early to be heard.
    if (response.destroyed || request.method === 'HEAD') {
      stop();
      listener.end();
    }
  },
});

function listenerFor(response: Response): Listener {
  return {
    send(text) {
      if (!response.headersSent) open(response);
      response.write(text);
      if (response.writableLength > maxUnreadBytes) response.destroy();
    },
    end() {
      response.end();
    },
  };
}

function open(response: Response): void {
  contextOf(response).isStream = true;
  response.status(200).set({
    'Content-Type': 'text/event-stream; charset=utf-8',
    // For nginx, which would keep back what is not a whole buffer.
    'X-Accel-Buffering': 'no',
  });
  response.write(`retry: ${reconnectMs}\n\n`);
}
