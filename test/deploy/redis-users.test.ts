import assert from 'node:assert/strict';
import { readText } from './support/read-deploy.ts';
import { commandsOf } from './support/redis-commands.ts';

/**
 * What both send outside of scripts and of methods named like it: BullMQ's jobs of a chunk, the connection's name, and which
 * node of a Redis Cluster holds what.
 */
const ofBoth = ['client|setname', 'cluster|info', 'cluster|slots', 'exec', 'multi'];
/** What the connection always may: `quit` is a part of @connection. The rest is no command, or refused on purpose. */
const withoutRule = new Set(['call', 'config', 'quit']);

const jobScripts = [
  'addPrioritizedJob',
  'changePriority',
  'extendLock',
  'extendLocks',
  'getCounts',
  'moveJobFromActiveToWait',
  'moveStalledJobsToWait',
  'moveToActive',
  'moveToFinished',
  'removeJob',
];

const users = [
  {
    name: 'intake',
    patterns: 'resetchannels &diq:wakes ~diq:*',
    service: {
      entry: 'services/intake-api/src/main.ts',
      // Its callbacks are jobs without a priority, which are tried again later.
      bullmqScripts: [...jobScripts, 'addStandardJob', 'moveToDelayed', 'retryJob', 'saveStacktrace'],
      usesBottleneck: false,
    },
    // Waiting for the next callback.
    further: ['bzpopmin'],
  },
  {
    name: 'worker',
    patterns: 'resetchannels &b_diq:* &diq:wakes ~diq:* ~b_diq:*',
    service: { entry: 'services/worker/src/main.ts', bullmqScripts: jobScripts, usesBottleneck: true },
    // Of a limiter that is let go of.
    further: ['unsubscribe'],
  },
];

describe('deploy/redis-users.acl', () => {
  const lines = readText('deploy/redis-users.acl').trim().split('\n');

  it('lets in intake, worker and operator, and no default user', () => {
    assert.deepEqual(
      lines.map((line) => line.replace(/(#[A-Z]+) .*$/, '$1')),
      [
        'user default reset',
        'user operator on #OPERATOR',
        'user intake on #INTAKE',
        'user worker on #WORKER',
      ],
    );
  });

  for (const { name, patterns, service, further } of users) {
    const line = lines.find((one) => one.startsWith(`user ${name} `)) ?? '';

    it(`lets the ${name} run the commands that its code and its scripts have, on their keys, and no others`, () => {
      const [, rules = '', commands = ''] =
        /^user \w+ on #[A-Z]+ (.*) -@all \+@connection -@admin -@dangerous (.*)$/.exec(line) ?? [];
      assert.equal(rules, patterns);
      const needed = [...commandsOf(service), ...ofBoth, ...further].filter((one) => !withoutRule.has(one));
      assert.deepEqual(
        commands.split(' '),
        needed.toSorted().map((one) => `+${one}`),
      );
    });

    it(`stands in docs/deploy.md as a line to paste, for the ${name}`, () => {
      const pasted = line.replace(/^user (\w+) on #[A-Z]+ /, 'ACL SETUSER $1 on >PASSWORD ');
      assert.ok(readText('docs/deploy.md').split('\n').includes(pasted), pasted);
    });
  }
});
