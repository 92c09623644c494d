import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { createRequestLog } from '@diq/queue/requests/transition-log.ts';
import { docFields } from '@diq/queue/requests/stored-request.ts';
import { createCallTelemetry } from '@diq/worker/execution/call-telemetry.ts';
import { createWorkerMetrics } from '@diq/worker/observability/metrics.ts';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import type { Span, Tracing } from '@diq/runtime/tracing/tracing.ts';
import type { Task } from '@diq/queue/tasks/task-store.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/logs-and-traces.md');

/** First cells of the table that begins with this one, without their marks. */
function column(heading: string): string[] {
  const rows = page.split('\n').map((line) => line.split('|').map((cell) => cell.trim())[1] ?? '');
  const start = rows.indexOf(heading);
  assert.ok(start > 0, `no table '${heading}'`);
  const end = rows.indexOf('', start);
  return rows.slice(start + 2, end).map((cell) => /`([^`]+)`/.exec(cell)?.[1] ?? cell);
}

const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };

describe('docs/logs-and-traces.md', () => {
  it('names the fields of the line of a request, all of them and no other', async () => {
    const doc = JSON.stringify({ machineId: 'm', correlation: {}, trace, comment: 'c' });
    const record = ['batch', 'task', doc, ...docFields.slice(1).map(() => null)];
    const redis = { hmget: () => Promise.resolve(record) } as unknown as Redis;
    const lines: object[] = [];
    const log = createRequestLog(redis, 'space', {
      info: (fields) => void lines.push(fields),
      isLevelEnabled: () => true,
    });
    log.moved({
      requestIds: ['request'],
      from: 'dispatching',
      status: 'started',
      taskId: 'task',
      callId: 'call',
      outcome: 'started',
      investigationId: '1',
      errorCode: 'none',
    });
    await log.close();
    assert.deepEqual(Object.keys(lines[0] ?? {}).toSorted(), column('field').toSorted());
  });

  it('names lines that are written', () => {
    const sources = [
      'shared/queue/src/requests/transition-log.ts',
      'services/intake-api/src/routes/submit-batch.ts',
      'services/intake-api/src/routes/submit-investigation.ts',
      'services/intake-api/src/http/middleware/access-log.ts',
      'services/intake-api/src/mcp/mcp-endpoint.ts',
      'shared/runtime/src/http-server/http-connections.ts',
      'services/worker/src/execution/call-telemetry.ts',
      'services/worker/src/reconciliation/reconciler.ts',
    ].map(read);
    const documented = column('`msg`');
    assert.equal(documented.length, 8);
    for (const message of ['request moved', ...documented]) {
      assert.ok(
        sources.some((source) => source.includes(`'${message}'`)),
        message,
      );
    }
  });

  it('names the spans of the worker and their attributes', () => {
    const spans: string[] = [];
    const attributes = new Set<string>();
    const tracing: Pick<Tracing, 'start'> = {
      start(name, options): Span {
        spans.push(name);
        const tell = (more: object = {}) => Object.keys(more).forEach((one) => attributes.add(one));
        tell(options.attributes);
        return { context: trace, set: tell, end() {} };
      },
    };
    const task = { id: 'd', machineId: 'm', createdAtMs: 0 } as Task;
    const telemetry = createCallTelemetry({
      metrics: createWorkerMetrics().ofQueue({ tenant: 'default', operation: 'initiateInvestigation' }),
      logger: createLogger({ level: 'silent', service: 'test' }),
      tracing: tracing as Tracing,
    });
    telemetry.granted('call', task, { spentAtMs: 0, freeSinceMs: 0 });
    const outcome = {
      kind: 'started',
      result: { kind: 'investigation', id: '1' },
      status: 201,
      durationMs: 1,
    } as const;
    telemetry.ended({ callId: 'call', task }, outcome, telemetry.calling('call', task));
    assert.deepEqual(spans, column('span').slice(2));
    for (const name of attributes) assert.ok(name.startsWith('http.') || page.includes(`\`${name}\``), name);
  });

  it('names every variable that .env.example and the Compose file have for traces', () => {
    const known = column('variable');
    for (const path of ['.env.example', 'docker-compose.yml']) {
      const names = new Set(read(path).match(/OTEL_[A-Z_]+/g));
      assert.ok(names.size > 0, path);
      assert.deepEqual(
        [...names].filter((name) => !known.includes(name)),
        [],
        path,
      );
    }
  });
});
