-- Marks a key space with the version of the layout that its keys have, unless it has one.
--
-- KEYS  1 layout                                    (see store-keys.ts)
-- ARGV  1 version of the caller
--
-- Returns  the version that the key space has now
-- Writes   the caller's version where there is none
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])
