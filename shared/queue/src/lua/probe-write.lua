-- Writes one key that goes by itself, to see whether this server takes writes.
--
-- KEYS  1 probe                                     (see store-keys.ts)
--       2 and further: only named, so that a user who may not reach them is refused
-- ARGV  1 ms for which it is kept
--
-- Returns  1
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return 1
