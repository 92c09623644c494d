import assert from 'node:assert/strict';
import express from 'express';
import { IncomingMessage, ServerResponse } from 'node:http';
import { listen } from './http-server.ts';

describe('an Express app that is served', () => {
  it('finds requests and responses as it would have made them, and changes none', async () => {
    const app = express().set('env', 'served');
    app.get('/', (request, response) => {
      response.status(201).json([request.path, request.app.get('env'), response.app === app]);
    });
    const server = await listen(app, { port: 0, host: '127.0.0.1' });
    const setPrototypeOf = Object.setPrototypeOf;
    const seen: boolean[] = [];
    Object.setPrototypeOf = (target: object, prototype: object | null) => {
      if (target instanceof IncomingMessage || target instanceof ServerResponse)
        seen.push(Object.getPrototypeOf(target) === prototype);
      return setPrototypeOf(target, prototype) as object;
    };
    try {
      const response = await fetch(`http://127.0.0.1:${server.port}/`);
      assert.deepEqual([response.status, await response.json()], [201, ['/', 'served', true]]);
      assert.deepEqual(seen, [true, true]);
    } finally {
      Object.setPrototypeOf = setPrototypeOf;
      await server.close();
    }
  });
});
