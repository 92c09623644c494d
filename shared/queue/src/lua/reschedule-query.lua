-- Sets the time at which Defender is asked next what became of a call.
--
-- KEYS  1 reconciling                               (see store-keys.ts)
-- ARGV  1 key space   2 task id   3 call id that is looked up   4 time ms, on this server's clock
--
-- Returns  1, or 0 when that call is not looked up any more; then nothing is written
local reconciling_key, space, task_id, call_id, at = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local state, owner = unpack(redis.call('HMGET', space .. ':task:' .. task_id, 'state', 'call'))
if state ~= 'reconciling' or owner ~= call_id then
  return 0
end
redis.call('ZADD', reconciling_key, at, task_id)
return 1
