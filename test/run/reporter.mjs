import { relative } from 'node:path';
import Mocha from 'mocha';

const { EVENT_TEST_BEGIN, EVENT_TEST_END, EVENT_TEST_FAIL } = Mocha.Runner.constants;

/**
 * Mocha's own reporter, which in addition reports each failure at once, in a line that `main.ts` collects; and, when the
 * run is stopped, of the test that was under way.
 */
export default class Reporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    let current;
    runner.on(EVENT_TEST_BEGIN, (test) => (current = test));
    runner.on(EVENT_TEST_END, () => (current = undefined));
    runner.on(EVENT_TEST_FAIL, (test, error) => {
      const [reason = ''] = String(error?.message ?? error).split('\n');
      Mocha.reporters.Base.consoleLog(`FAILED ${nameOf(test)}: ${reason}`);
    });
    process.once('SIGTERM', () => {
      Mocha.reporters.Base.consoleLog(`STOPPED ${current ? `in ${nameOf(current)}` : 'between two tests'}`);
      process.kill(process.pid, 'SIGTERM');
    });
  }
}

function nameOf(test) {
  return `${relative(process.cwd(), test.file ?? '')} > ${test.titlePath().join(' > ')}`;
}
