import assert from 'node:assert/strict';
import express from 'express';
import request from 'supertest';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { logAccess } from './access-log.ts';
import { beginContext } from '../request-context.ts';

function loggedApp() {
  const lines: Record<string, unknown>[] = [];
  const destination = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  };
  const logger = createLogger({ level: 'info', service: 'test', destination });
  return { app: express().use(beginContext(logger), logAccess(logger)), lines };
}

describe('an answer that is written to after its end', () => {
  it('is logged under the id of its request, and the process goes on', async () => {
    const { app, lines } = loggedApp();
    app.get('/', (_request, response) => {
      response.end('all');
      response.write('and more');
    });
    await request(app).get('/').set('X-Request-Id', 'one').expect(200);
    const line = await waitFor(() => lines.find(({ level }) => level === 'warn'), { what: 'the warning' });
    assert.deepEqual([line['msg'], line['httpRequestId']], ['response could not be sent', 'one']);
  });
});

describe('the path of a request in the log', () => {
  it('is of at most 200 characters, and its end says that it was cut', async () => {
    const { app, lines } = loggedApp();
    await request(app)
      .get(`/${'x'.repeat(199)}`)
      .expect(404);
    await request(app)
      .get(`/${'x'.repeat(200)}`)
      .expect(404);
    const logged = await waitFor(() => (lines.length === 2 ? lines : undefined), { what: 'both lines' });
    assert.deepEqual(
      logged.map(({ path }) => path),
      [`/${'x'.repeat(199)}`, `/${'x'.repeat(198)}…`],
    );
  });
});
