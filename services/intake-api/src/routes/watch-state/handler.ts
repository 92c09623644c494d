import type { RequestHandler, Response } from 'express';
import type { AppParts } from '../../dependencies.ts';
import { callerOf, isSignedInOf } from '../../auth/authenticate.ts';
import { ProblemError } from '../../http/problem-error.ts';
import type { Listener } from '../../live-state/state-feed.ts';

/** When a browser that lost the connection comes back. */
const reconnectMs = 1_000;
const fullRetryAfterSeconds = 30;
/** Several documents: a reader that is so far behind does not read. */
const maxUnreadBytes = 256 * 1_024;

/** `GET /v1/events`: the state as server-sent events, at most one per second and only when something changed. */
export function watchState({ stateFeed }: Pick<AppParts, 'stateFeed'>): RequestHandler {
  return async (request, response) => {
    const listener = listenerFor(response);
    const stop = await stateFeed.listen(listener, callerOf(response)?.name ?? '', isSignedInOf(response));
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
  };
}

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
  // How long somebody listens is no duration of a request.
  response.locals['isStream'] = true;
  response.status(200).set({
    'Content-Type': 'text/event-stream; charset=utf-8',
    // For nginx, which would keep back what is not a whole buffer.
    'X-Accel-Buffering': 'no',
  });
  response.write(`retry: ${reconnectMs}\n\n`);
}
