import type { Express } from 'express';
import { IncomingMessage, ServerResponse, type ServerOptions } from 'node:http';

/**
 * Options by which a server makes requests and responses as `app` wants them. By itself Express gives each of them another
 * prototype when it arrives, which V8 answers by making every later access to it slow: two thirds of all that Express
 * costs, and the greater part of the garbage (https://github.com/expressjs/express/issues/5998). With these it finds them
 * as it would have made them. Not for apps that are mounted in others.
 */
export function messagesOf(
  app: Pick<Express, 'request' | 'response'>,
): Pick<ServerOptions, 'IncomingMessage' | 'ServerResponse'> {
  class AppRequest extends IncomingMessage {}
  class AppResponse<Request extends IncomingMessage> extends ServerResponse<Request> {}
  app.request = putBetween(AppRequest.prototype, app.request);
  app.response = putBetween(AppResponse.prototype, app.response);
  return { IncomingMessage: AppRequest, ServerResponse: AppResponse };
}

/** Makes a prototype one that has all of the app's as well. */
function putBetween<T extends object>(prototype: object, ofApp: T): T {
  return Object.setPrototypeOf(prototype, ofApp) as T;
}
