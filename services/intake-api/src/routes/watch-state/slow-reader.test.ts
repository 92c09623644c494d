import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import express from 'express';
import { listen } from '@diq/runtime/http-server/http-server.ts';
import type { Listener, StateFeed } from '../../live-state/state-feed.ts';
import { watchState } from './handler.ts';

describe('a listener that does not read', () => {
  it('is cut, instead of being kept in memory', async () => {
    let listener: Listener | undefined;
    let hasStopped = false;
    const stateFeed: StateFeed = {
      show() {},
      fail() {},
      endAll() {},
      close() {},
      listen(one) {
        listener = one;
        one.send(': welcome\n\n');
        return Promise.resolve(() => (hasStopped = true));
      },
    };
    const app = express().get('/', watchState({ stateFeed }));
    const server = await listen(app, { port: 0, host: '127.0.0.1' });
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    await once(socket, 'data');
    socket.pause();

    const text = `: ${'x'.repeat(64 * 1_024)}\n\n`;
    // More than the sockets' own buffers hold.
    for (let i = 0; i < 2_000 && !hasStopped; i += 1) {
      listener?.send(text);
      await new Promise(setImmediate);
    }
    socket.destroy();
    await server.close();
    assert.ok(hasStopped);
  });
});
