import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { noTracing, type Tracing } from '@diq/runtime/tracing/tracing.ts';
import { flood } from '@diq/testing/flood.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { keys } from '../test-support/credentials.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { listenToEvents } from '../test-support/listen-to-events.ts';

const isLinux = process.platform === 'linux';

describe('requests that are sent one behind another by clients that read no answer', () => {
  const spans = { started: 0, ended: 0 };
  const tracing: Tracing = {
    ...noTracing,
    start(...parameters) {
      spans.started += 1;
      const span = noTracing.start(...parameters);
      return {
        ...span,
        end(...last) {
          spans.ended += 1;
          span.end(...last);
        },
      };
    },
  };
  const intake = useIntake(useEmbeddedRedis(), {}, { tracing });
  const port = () => Number(new URL(intake.url).port);
  const headers = { 'X-API-Key': keys.reader };
  const linesOf = (message: string, path: string) =>
    intake.log.filter((line) => line['msg'] === message && (line['path'] ?? path) === path);
  const openFiles = () => (isLinux ? readdirSync('/proc/self/fd').length : 0);

  for (const path of ['/openapi.json', '/docs/openapi-explorer.min.js', '/metrics', '/v1/events']) {
    it(`are not taken beyond 17, and leave no file, span or log line open: ${path}`, async () => {
      const before = openFiles();
      const warnings = linesOf('connection ended', path).length;
      const clients = await flood({ port: port(), path, headers, requests: 1_000, connections: 5 });
      await clients.untilEnded();
      await waitFor(() => linesOf('connection ended', path).length === warnings + 5, {
        what: 'the warnings',
      });
      await waitFor(() => linesOf('request answered', path).length >= 5, { what: 'the lines of the log' });
      await waitFor(() => spans.ended === spans.started, { what: 'the ends of the spans' });
      await waitFor(() => openFiles() <= before, { what: 'the files to be closed' });
      // Each connection had one at a time; how many were through before the 18th arrived is the network's affair.
      assert.ok(linesOf('request answered', path).length <= 5 * 17);
    });
  }

  it('keep no place among the event streams', async () => {
    const clients = await flood({ port: port(), path: '/v1/events', headers, requests: 17, connections: 20 });
    const listening = () => linesOf('request answered', '/v1/events').length;
    const before = listening();
    clients.leave();
    await waitFor(() => listening() >= before + 20, { what: 'the streams to be over' });
    const readers = await Promise.all(Array.from({ length: 20 }, () => listenToEvents(intake.url, headers)));
    assert.deepEqual([...new Set(readers.map(({ response }) => response.status))], [200]);
    for (const reader of readers) await reader.close();
  });
});
