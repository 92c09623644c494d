-- Opens a session of one API key or person.
--
-- KEYS  1 sessions of the caller                    (see store-keys.ts)
-- ARGV  1 time ms   2 time ms at which the session ends   3 its name   4 most sessions   5 lifetime, ms
--
-- Returns  1
-- Writes   the session; those that are over go, and the oldest where there are too many. The first command only takes
--          out, so that people can sign in and cancel while Redis is full (see script.ts).
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
