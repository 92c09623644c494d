// Starts the sample service, sends its own parent the pid, and is then there to be killed.
import { spawnService } from '../spawn-service.ts';

const sample = await spawnService({
  entry: new URL('./sample-main.ts', import.meta.url),
  env: { SAMPLE_PORT: '0', SAMPLE_WORKERS: '1' },
  name: 'sample',
});
process.send?.({ kind: 'ready', service: 'parent', port: sample.ready.port, pid: sample.child.pid });
