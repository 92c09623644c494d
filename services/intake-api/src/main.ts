import { runService } from '@diq/runtime/run-service.ts';
import { readIntakeSettings } from './config.ts';
import { openIntake } from './open-intake.ts';

await runService({
  name: 'intake-api',
  env: process.env,
  exit: (code) => process.exit(code),
  start: ({ env, logger, lifecycle }) => openIntake({ settings: readIntakeSettings(env), logger, lifecycle }),
});
