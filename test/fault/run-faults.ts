import { appendFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { allOutput, forgetOutput } from '@diq/testing/service-process.ts';
import { describeState } from './describe-state.ts';
import { startFaultRun } from './fault-run.ts';
import type { FaultRun } from './fault-run.ts';
import { startFaultWorld } from './fault-world.ts';
import type { FaultWorld } from './fault-world.ts';
import { allFaults } from './faults/all-faults.ts';
import { faultsOn, leftOut } from './faults/faults-on.ts';
import { judge } from './judge.ts';
import type { Evidence, Violation } from './judge.ts';
import { createRandom } from './random.ts';
import { redisKinds } from './redis/fault-redis.ts';
import { countBy, tableOf } from './result-table.ts';
import { faultsOfRun, followingFaults } from './results/results-faults.ts';
import { resultsRunNames, runResults, type ResultsRunName } from './results/results-run.ts';
import { resultsTableOf } from './results/results-table.ts';
import { scheduleRound } from './schedule.ts';

const usage = `npm run test:fault -- [--minutes 5] [--seed N] [--redis single|sentinel|cluster] [--only name,name] [--without name,name] [--json file] [--log file]

Breaks the whole system in every way the harness knows, round after round, and judges what arrived at Defender.
Faults: ${allFaults.map(({ name }) => name).join(', ')}

Two further runs, on one node: --only following has every operation and faults of the books in which results are followed, and judges
each outcome and each callback; --only machine-order has contrary actions on few machines, and judges their order.
Faults: ${followingFaults.map(({ name }) => name).join(', ')}, and some of those above. Name some behind the run to make them alone.`;

const minuteMs = 60_000;
const progressEveryMs = 10_000;
/** A run that hangs is ended by force this long after its time. */
const overtimeMs = 6 * minuteMs;

const options = readOptions();
const startedAtMs = Date.now();
if (options.resultsRun !== undefined) await playResults(options.resultsRun);
console.log(`seed ${options.seed}, ${options.minutes} minutes, Redis: ${options.redisKind}`);
for (const [name, { [options.redisKind]: reason }] of Object.entries(leftOut)) {
  if (reason !== undefined) console.log(`without ${name}: ${reason}`);
}
const world = await startFaultWorld({
  limit: 5,
  windowMs: 3_000,
  callTimeoutMs: 1_000,
  workers: 3,
  intakes: 2,
  redisKind: options.redisKind,
});
let ended = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void end(130));
const watchdog = setTimeout(
  () => {
    console.log('the run does not end by itself');
    void end(2);
  },
  options.minutes * minuteMs + overtimeMs,
);
const run = startFaultRun(world, {
  seed: options.seed,
  share: 0.7,
  onFault: ({ fault }) => console.log(`${clock()} ${fault.name}`),
});
const progress = setInterval(() => {
  const { accepted, refused, lost } = run.posts();
  console.log(
    `${clock()} ${run.faults.length} faults, ${run.acknowledged()} requests accepted; POSTs ${accepted} accepted, ${refused} refused, ${lost} lost`,
  );
  void keepOutput();
}, progressEveryMs);

try {
  const { evidence, violations } = await playRounds(world, run);
  console.log(tableOf(evidence, violations, run, world));
  await writeResult(evidence, violations);
  await end(violations.length === 0 ? 0 : 1);
} catch (error) {
  console.log(error);
  await end(2);
}

/** One of the two runs in which results are followed. */
async function playResults(name: ResultsRunName): Promise<never> {
  const { seed, minutes, log } = options;
  console.log(`${name}: seed ${seed}, ${minutes} minutes`);
  const keeping = setInterval(() => void keepOutput(), progressEveryMs);
  const result = await runResults({
    name,
    seed,
    forMs: minutes * minuteMs,
    faults: options.faults,
    machines: name === 'following' ? 30 : 8,
    betweenMs: name === 'following' ? 12_000 : 2_000,
    onFault: (fault) => console.log(`${clock()} ${fault}`),
  });
  clearInterval(keeping);
  await keepOutput();
  for (const { rule, text } of result.violations) console.log(`  ${rule}: ${text}`);
  console.log(resultsTableOf(result));
  if (log === undefined && result.violations.length > 0)
    console.log('with --log FILE the services write there');
  // oxlint-disable-next-line unicorn/no-process-exit -- this is a main file
  process.exit(result.violations.length === 0 ? 0 : 1);
}

async function playRounds(world: FaultWorld, run: FaultRun) {
  const random = createRandom(options.seed);
  const printed = new Set<string>();
  for (let round = 1; ; round += 1) {
    const evidence = await run.play(scheduleRound(random, options.faults));
    const violations = judge(evidence);
    console.log(`${clock()} round ${round}: ${evidence.calls.length} calls, ${violations.length} violations`);
    for (const violation of violations) {
      const line = `  ${violation.rule}: ${violation.text}`;
      if (!printed.has(line)) console.log(line);
      printed.add(line);
    }
    if (violations.some(({ rule }) => rule === 'unsettled')) console.log(await describeState(world));
    if (Date.now() - startedAtMs >= options.minutes * minuteMs) return { evidence, violations };
  }
}

async function writeResult(evidence: Evidence, violations: readonly Violation[]): Promise<void> {
  if (options.json === undefined) return;
  const { seed, minutes, redisKind } = options;
  const result = {
    seed,
    minutes,
    redis: redisKind,
    faults: Object.fromEntries(countBy(evidence.faults, ({ name }) => name)),
    calls: evidence.calls.length,
    requests: evidence.acknowledged.length,
    violations,
  };
  await writeFile(options.json, `${JSON.stringify(result, null, 2)}\n`);
}

/** What the services wrote goes to the file that was asked for, and out of memory. */
async function keepOutput(): Promise<void> {
  const text = allOutput();
  forgetOutput();
  if (options.log !== undefined) await appendFile(options.log, `${text}\n`);
}

async function end(code: number): Promise<void> {
  if (ended) return;
  ended = true;
  clearInterval(progress);
  clearTimeout(watchdog);
  await run.stop();
  await world.stop();
  await keepOutput();
  // oxlint-disable-next-line unicorn/no-process-exit -- this is a main file
  process.exit(code);
}

function clock(): string {
  return `${((Date.now() - startedAtMs) / 1_000).toFixed(1).padStart(7)} s`;
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      redis: { type: 'string', default: 'single' },
      only: { type: 'string' },
      without: { type: 'string', default: '' },
      json: { type: 'string' },
      log: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    // oxlint-disable-next-line unicorn/no-process-exit -- this is a main file
    process.exit(0);
  }
  const redisKind = redisKinds.find((kind) => kind === values.redis);
  if (redisKind === undefined) throw new Error(`--redis ${values.redis}: expected ${redisKinds.join(', ')}`);
  const names = values.only?.split(',') ?? [];
  const resultsRun = resultsRunNames.find((name) => names.includes(name));
  const only = names.filter((name) => name !== resultsRun);
  const without = values.without.split(',');
  const possible = resultsRun === undefined ? faultsOn(redisKind) : faultsOfRun[resultsRun];
  const faults = possible.filter(
    ({ name }) => (only.length === 0 || only.includes(name)) && !without.includes(name),
  );
  if (faults.length === 0) throw new Error('none of these faults is made in this run');
  return {
    minutes: Number(values.minutes),
    seed: Number(values.seed),
    redisKind,
    resultsRun,
    faults,
    json: values.json,
    log: values.log,
  };
}
