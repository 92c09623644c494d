import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { startIntake, stopAll } from '@diq/testing/service-process.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createApiClient } from '../end-to-end/support/api-client.ts';
import { machineIds } from '../end-to-end/support/stack.ts';
import { requireTools } from '@diq/testing/require-tools.ts';

const run = promisify(execFile);
const page = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8');
const [definition = ''] = /^diq\(\) \{.*$/m.exec(page) ?? [];
/** In text and in code blocks. A `#` that stands alone begins a remark. */
const commands = new Set(
  [...page.matchAll(/`(diq [^`]+)`|^(diq .*)$/gm)].map(([, inText = '', inBlock = '']) =>
    `${inText}${inBlock.replace(/ +# .*$/, '')}`.replaceAll(/\s+/g, ' ').trim(),
  ),
);

describe('the commands of the runbook that ask the service', function () {
  this.timeout(30_000);
  const redis = useEmbeddedRedis();
  const key = 'key-of-the-operator-at-night';
  const [machineId = ''] = machineIds(1);
  let port = 0;
  let id = '';
  let batchId = '';

  before(requireTools('bash', 'curl'));
  before('start an intake that has one request', async () => {
    const sha256 = createHash('sha256').update(key).digest('hex');
    const intake = await startIntake({
      REDIS_URL: redis.url,
      AZURE_TENANT_ID: randomUUID(),
      INTAKE_API_KEYS: `operator:admin:${sha256}`,
    });
    port = intake.ready.port;
    const api = createApiClient(`http://127.0.0.1:${port}`, key);
    const batch = await api.postBatch([machineId]);
    [batchId, id] = [batch.id, batch.items[0]?.id ?? ''];
  });
  after(stopAll);

  it('are found in it', () => {
    assert.ok(definition !== '' && commands.size > 12, [...commands].join('\n'));
  });

  for (const command of commands) {
    it(`does what is said: ${command}`, async () => {
      const script = `${definition}\n${filledIn(command)} -w '\\n%{http_code}'`;
      const env = { ...process.env, API: `http://127.0.0.1:${port}`, KEY: key };
      const { stdout } = await run('bash', ['-c', script], { env });
      const status = stdout.trim().split('\n').at(-1) ?? '';
      // What waits cannot be retried, and what was cancelled cannot be moved: the request's state decides both.
      assert.ok(['200', '202', '409'].includes(status), stdout);
    });
  }

  function filledIn(command: string): string {
    return command
      .replace('/TENANT/', '/default/')
      .replace('OPERATION', 'initiateInvestigation')
      .replace('/ID/', `/${id}/`)
      .replace('"machineId":"…"', `"machineId":"${machineId}"`)
      .replace('"batchId":"…"', `"batchId":"${batchId}"`)
      .replaceAll('"…"', '"a-word"');
  }
});
