import { readSettings } from './config.ts';
import { createSimulator } from './simulator.ts';

const reading = readSettings(process.env);
if (reading.kind === 'faults') {
  console.error(JSON.stringify({ level: 'fatal', msg: 'the settings have faults', faults: reading.faults }));
  process.exit(1);
}

const { settings } = reading;
const simulator = await createSimulator(settings).catch((error: unknown) => {
  console.error(JSON.stringify({ level: 'fatal', msg: 'the simulator cannot start', error: String(error) }));
  process.exit(1);
});
const { origin, port } = simulator;

const stop = () => {
  void simulator.close().then(() => process.exit(0));
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
// Started by a test or a demo: does not outlive it.
if (process.send !== undefined) process.once('disconnect', stop);

const caFile = settings.caFile ?? null;
console.log(
  JSON.stringify({ level: 'info', msg: 'simulator is ready', service: 'simulator', origin, port, caFile }),
);
process.send?.({ kind: 'ready', service: 'simulator', origin, port, caFile });
