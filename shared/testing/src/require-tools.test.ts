import assert from 'node:assert/strict';
import { requireTools } from './require-tools.ts';

const absent = 'no-such-tool-of-defender-investigation-queue';

describe('a test that needs a tool', () => {
  const before = process.env['REQUIRE_TOOLS'];
  const set = (value: string | undefined) => {
    if (value === undefined) delete process.env['REQUIRE_TOOLS'];
    else process.env['REQUIRE_TOOLS'] = value;
  };
  afterEach(() => set(before));

  /** What becomes of a test whose hook looks for these tools. */
  const outcome = (...tools: string[]): string => {
    const test = { title: 'holds' };
    const skip = () => {
      throw new Error('skipped');
    };
    try {
      requireTools(...tools).call({ test, skip } as unknown as Mocha.Context);
    } catch (error) {
      return `${test.title}: ${error instanceof Error ? error.message : ''}`;
    }
    return test.title;
  };

  it('runs where the tool is there', () => {
    set('1');
    assert.equal(outcome('node', 'npm'), 'holds');
  });

  it('is skipped without it, with the reason in its title', () => {
    set(undefined);
    assert.equal(outcome('node', absent), `holds (no ${absent} on the PATH): skipped`);
  });

  it('fails without it when REQUIRE_TOOLS=1', () => {
    set('1');
    assert.equal(outcome('node', absent), `holds: no ${absent} on the PATH`);
  });

  it('is skipped all the same when CI may lack the tool', () => {
    set('1');
    const path = process.env['PATH'];
    process.env['PATH'] = '';
    try {
      assert.equal(outcome('kubectl'), 'holds (no kubectl on the PATH): skipped');
    } finally {
      process.env['PATH'] = path;
    }
  });
});
