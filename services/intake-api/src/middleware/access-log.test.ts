import assert from 'node:assert/strict';
import express from 'express';
import request from 'supertest';
import { createLogger } from '@diq/runtime/logger.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { logAccess } from './access-log.ts';
import { assignRequestId } from './request-id.ts';

describe('an answer that is written to after its end', () => {
  it('is told under the id of its request, and the process goes on', async () => {
    const lines: Record<string, unknown>[] = [];
    const destination = {
      write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
    };
    const app = express().use(
      assignRequestId,
      logAccess(createLogger({ level: 'info', service: 'test', destination })),
    );
    app.get('/', (_request, response) => {
      response.end('all');
      response.write('and more');
    });
    await request(app).get('/').set('X-Request-Id', 'one').expect(200);
    const line = await waitFor(() => lines.find(({ level }) => level === 'warn'), { what: 'the warning' });
    assert.deepEqual([line['msg'], line['httpRequestId']], ['an answer could not be sent', 'one']);
  });
});
