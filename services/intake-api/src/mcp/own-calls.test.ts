import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestHandler, Response as Answer } from 'express';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { RequestContext } from '../http/request-context.ts';
import { createOwnCalls } from './own-calls.ts';

describe('a call of the service to its own routes', () => {
  it('ends at the route, too, when who asked has left', async () => {
    const logger = createLogger({ level: 'fatal', service: 'test' });
    let reached: (response: Answer) => void;
    const atRoute = new Promise<Answer>((resolve) => (reached = resolve));
    const api: RequestHandler = (_request, response) => reached(response);
    const context = new RequestContext('id-of-the-request', logger);
    context.identified = { name: 'agent', scopes: new Set(['read']) };
    const fetchOwn = createOwnCalls(api, logger).fetchFor({ context, ofSource: { source: 'x', most: 1 } });
    const left = new AbortController();
    const asked = fetchOwn('http://intake/v1/quota', { signal: left.signal });
    const closed = once(await atRoute, 'close');
    left.abort();
    await assert.rejects(asked, { name: 'AbortError' });
    await closed;
  });
});
