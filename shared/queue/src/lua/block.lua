-- include now.lua
--
-- Keeps a task that waits from being claimed: its job goes, and no search gives it another one until it is unblocked.
--
-- KEYS  1 blocked   2 waiting   3 blocked:callers
-- ARGV  1 task id   2 key space
--
-- blocked               sorted set: task id -> when it was last seen that it waits (ms)
-- blocked:callers       sorted set: caller -> when tasks of it were last looked at (ms)
-- blocked:of:<caller>   sorted set: task id -> as in 'blocked'; may have some that are not there any more (list-blocked.lua)
--
-- Returns  1, or 0 where it does not wait any more
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  return 0
end
-- Whose it is: the caller in whose flow it stands, else of its first request; '' where that is not known.
local first, caller = unpack(redis.call('HMGET', ARGV[2] .. ':task:' .. ARGV[1], 'first', 'flowCaller'))
if not caller then
  local name, more = unpack(redis.call('HMGET', ARGV[2] .. ':request:' .. (first or ''), 'caller', 'caller1'))
  caller = (name or '') .. (more or '')
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZADD', KEYS[3], 'NX', 0, caller)
redis.call('ZADD', ARGV[2] .. ':blocked:of:' .. caller, now, ARGV[1])
return 1
