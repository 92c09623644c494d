import assert from 'node:assert/strict';
import { describeRedisTrouble, isRedisTrouble } from './is-unavailable.ts';

const named = (name: string, message: string) => Object.assign(new Error(message), { name });

describe('trouble with Redis', () => {
  const troubles: Error[] = [
    named('MaxRetriesPerRequestError', 'Reached the max retries per request limit (which is 0).'),
    new Error('Connection is closed.'),
    new Error("Stream isn't writeable and enableOfflineQueue options is false"),
    new Error('Command timed out'),
    named('AbortError', 'Command aborted due to connection close'),
    new Error('connect ETIMEDOUT'),
    Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }),
    Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:6379'), { code: 'ECONNREFUSED' }),
    named('ReplyError', 'LOADING Redis is loading the dataset in memory'),
    named('ReplyError', "READONLY You can't write against a read only replica."),
    named('ReplyError', "ERR Error running script: -READONLY You can't write against a read only replica."),
    named('ReplyError', 'CLUSTERDOWN The cluster is down'),
    named('ReplyError', "OOM command not allowed when used memory > 'maxmemory'."),
    named(
      'ReplyError',
      'MISCONF Redis is configured to save RDB snapshots, but it is unable to persist to disk',
    ),
    named('ReplyError', 'BUSY Redis is busy running a script.'),
    named('ReplyError', 'NOAUTH Authentication required.'),
    named('ReplyError', 'ERR max number of clients reached'),
    named('ReplyError', 'MOVED 3999 127.0.0.1:6381'),
    named('ReplyError', 'EXECABORT Transaction discarded because of previous errors.'),
    Object.assign(named('ReplyError', 'EXECABORT Transaction discarded because of previous errors.'), {
      previousErrors: [named('ReplyError', "OOM command not allowed when used memory > 'maxmemory'.")],
    }),
    // As Redis 6.2 and 7 put it.
    named(
      'ReplyError',
      "ERR Error running script (call to f_5f9): @user_script:9: The user executing the script can't run this command",
    ),
    named('ReplyError', "ERR The user executing the script can't run this command, on @user_script:9."),
    named('ReplyError', 'SOMETHING that a version to come may say'),
    named('ReplyError', 'ASK 3999 127.0.0.1:6381'),
    named('ReplyError', 'TRYAGAIN Multiple keys request during rehashing of slot'),
    named(
      'ReplyError',
      'ERR Script attempted to access a non local key in a cluster node script: 5f9, on @user_script:9.',
    ),
    named('ClusterAllFailedError', 'Failed to refresh slots cache.'),
    new Error('Too many Cluster redirections. Last error: ReplyError: MOVED 3999 127.0.0.1:6381'),
    new Error("Cluster isn't ready and enableOfflineQueue options is false"),
    new Error('None of startup nodes is available'),
    new Error('All sentinels are unreachable. Retrying from scratch after 100ms.'),
    named('NotReplicatedError', '0 of 1 replicas have what was written'),
    new Error('job not added', { cause: named('ReplyError', 'CLUSTERDOWN The cluster is down') }),
  ];
  for (const error of troubles) {
    it(`is recognised by: ${error.message}`, () => {
      assert.equal(isRedisTrouble(error), true);
    });
  }

  it('is described by what the sentinels refuse', () => {
    const why = (last: string) =>
      describeRedisTrouble(
        new Error(`All sentinels are unreachable. Retrying from scratch after 100ms.${last}`),
      );
    assert.equal(why(''), 'does not answer');
    assert.match(
      why(' Last error: WRONGPASS invalid username-password pair'),
      /refuse REDIS_SENTINEL_PASSWORD/,
    );
    assert.match(why(' Last error: NOAUTH Authentication required.'), /refuse REDIS_SENTINEL_PASSWORD/);
    assert.match(why(' Last error: ERR No such master with that name'), /not known .* REDIS_SENTINEL_NAME/);
  });

  const faults: unknown[] = [
    named('ReplyError', 'WRONGTYPE Operation against a key holding the wrong kind of value'),
    named('ReplyError', 'ERR user_script:3: attempt to index a nil value'),
    named('ReplyError', 'ERR user_script:3: attempt to index a nil value script: 5f9, on @user_script:3.'),
    // As Redis 6.2 puts it.
    named(
      'ReplyError',
      'ERR Error running script (call to f_5f9): @user_script:3: user_script:3: too many results to unpack',
    ),
    named(
      'ReplyError',
      'ERR Error running script (call to f_5f9): @user_script:3: WRONGTYPE Operation against',
    ),
    named('ReplyError', 'ERR Error compiling script (new function): user_script:1: unexpected symbol'),
    named('ReplyError', 'ERR hash value is not an integer script: 5f9, on @user_script:3.'),
    named('ReplyError', "ERR wrong number of arguments for 'hset' command"),
    named('ReplyError', 'BACKLOG_FULL 50000 49000'),
    named('ReplyError', 'ORDER_SCALE the time of arrival is beyond the last priority of the queue'),
    Object.assign(named('ReplyError', 'EXECABORT Transaction discarded because of previous errors.'), {
      previousErrors: [named('ReplyError', "ERR wrong number of arguments for 'hset' command")],
    }),
    named('AbortError', 'The operation was aborted'),
    new TypeError('Cannot read properties of undefined'),
    new Error('the store answered for fewer requests than it was given'),
    'Connection is closed.',
    undefined,
  ];
  for (const fault of faults) {
    it(`is not recognised by: ${fault instanceof Error ? fault.message : `the value ${String(fault)}`}`, () => {
      assert.equal(isRedisTrouble(fault), false);
    });
  }
});
