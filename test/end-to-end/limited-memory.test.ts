import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fetch } from 'undici';
import { requireRedisServer, startRedisServer } from '@diq/testing/redis-process.ts';
import { startIntake, stopAll } from '@diq/testing/service-process.ts';

/**
 * As compose file and manifests have it. In a container of that size Node 26 gives half of it to its old objects and 4 MB to
 * each half of the new ones, of which it would otherwise take 32 MB each (seen with a memory limit of the kernel's).
 */
const memoryMegabytes = 512;
const batches = 4;

/** Ten thousand items as large as they may be, one character of each of those that take two bytes in memory. */
function largestBatch(): Buffer {
  const requests = Array.from({ length: 10_000 }, () => ({
    machineId: randomBytes(20).toString('hex'),
    comment: `${'x'.repeat(3_999)}—`,
    source: 'soar',
    correlation: { incident: 'INC-'.padEnd(200, '7') },
  }));
  return Buffer.from(JSON.stringify({ requests }));
}

describe('an intake of 512 MB', function () {
  this.timeout(180_000);
  before(requireRedisServer);
  after(stopAll);

  it('answers four of the largest batches at once, each in the end with 202, and lives', async () => {
    const redis = await startRedisServer();
    const apiKey = randomBytes(24).toString('base64url');
    const intake = await startIntake({
      REDIS_URL: redis.url,
      AZURE_TENANT_ID: randomUUID(),
      INTAKE_HOST: '127.0.0.1',
      INTAKE_API_KEYS: `soar:submit:${createHash('sha256').update(apiKey).digest('hex')}`,
      INTAKE_MAX_BACKLOG_PER_CALLER: '50000',
      LOG_LEVEL: 'warn',
      NODE_OPTIONS: `--max-old-space-size=${memoryMegabytes / 2} --max-semi-space-size=4`,
    });
    try {
      const refusals = await Promise.all(
        Array.from({ length: batches }, () => submitUntilTaken(intake.ready.port, apiKey, largestBatch())),
      );
      assert.ok(
        refusals.some((times) => times > 0),
        'at once they are too much',
      );
      assert.equal(intake.child.exitCode, null);
      const peak = peakMegabytes(intake.child.pid);
      assert.ok(peak < memoryMegabytes, `at most it took ${peak} MB`);
    } finally {
      await intake.stop();
      await redis.stop();
    }
  });
});

/** How often it was refused before it was taken. */
async function submitUntilTaken(port: number, apiKey: string, body: Buffer): Promise<number> {
  const key = randomUUID();
  for (let refusals = 0; ; refusals += 1) {
    const response = await fetch(`http://127.0.0.1:${port}/v1/batches`, {
      method: 'POST',
      headers: { 'X-API-Key': apiKey, 'Content-Type': 'application/json', 'Idempotency-Key': key },
      body,
    });
    const answer = (await response.json()) as { code?: string; counts?: object };
    if (response.status === 202) {
      assert.deepEqual(answer.counts, { accepted: 10_000, coalesced: 0, rejected: 0 });
      return refusals;
    }
    // On a busy machine Redis may also take longer than a request waits for it.
    assert.equal(response.status, 503);
    assert.match(answer.code ?? '', /^(intake_busy|redis_unavailable)$/);
    // As a client does that heeds it: that this is long enough is what is tested here.
    await delay(Number(response.headers.get('retry-after')) * 1_000);
  }
}

/** The most that a process has had in memory since it began. */
function peakMegabytes(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1_024;
}
