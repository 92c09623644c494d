-- include now.lua
--
-- Keeps a task that waits from being claimed: its job goes, and no search gives it another one until it is unblocked.
--
-- KEYS  1 blocked   2 waiting
-- ARGV  1 task id
--
-- Returns  1, or 0 where it does not wait any more
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  return 0
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
return 1
