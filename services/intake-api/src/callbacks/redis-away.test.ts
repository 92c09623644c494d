import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createLifecycle } from '@diq/runtime/processes/lifecycle.ts';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { readIntakeSettings } from '../config/config.ts';
import { openIntake } from '../open-intake.ts';
import { callbackEnvironment } from '../test-support/callback-environment.ts';
import { keySetting } from '../test-support/credentials.ts';

describe('an intake with callbacks, while Redis is away', () => {
  it('starts, says so once for each connection, and stops in order', async () => {
    const log: { level: string; msg: string }[] = [];
    const destination = { write: (line: string) => void log.push(JSON.parse(line) as (typeof log)[0]) };
    const logger = createLogger({ level: 'info', service: 'intake-api', destination });
    const lifecycle = createLifecycle({ logger, deadlineMs: 8_000 });
    const settings = readIntakeSettings({
      REDIS_URL: 'redis://127.0.0.1:1',
      INTAKE_PORT: '0',
      INTAKE_HOST: '127.0.0.1',
      INTAKE_API_KEYS: keySetting,
      AZURE_TENANT_ID: randomUUID(),
      ...callbackEnvironment(),
    });
    const callbackTiming = { moveIntervalMs: 5, closeGraceMs: 50 };
    const timing = { waitForRedisMs: 50, pollIntervalMs: 20, callbackTiming };
    await openIntake({ settings, logger, lifecycle, fail: assert.fail, ...timing });
    assert.equal(await lifecycle.close('end of test'), 'clean');
    const reported = log.filter(({ msg }) => msg === 'callbacks that are due cannot be moved');
    assert.equal(reported.length, 1);
    assert.deepEqual(
      log.filter(({ level }) => level === 'error'),
      [],
    );
  });
});
