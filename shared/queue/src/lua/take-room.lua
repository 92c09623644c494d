-- include now.lua
--
-- Keeps room for a call of an operation of which Defender runs only so many at once: those that are under way, looked up, or
-- have a result whose end was not seen yet, and those that are about to begin.
--
-- KEYS  1 starting   2 in_flight   3 reconciling   4 results, where they are followed
-- ARGV  1 how many may run   2 task id   3 for how long room is kept for it at most, ms
--
-- starting   sorted set: task id -> until when room is kept for a call that is about to begin (ms)
--
-- Returns  1, or 0 where as many run
local most, task_id, kept_for = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local running = 0
for i = 2, #KEYS do
  running = running + redis.call('ZCARD', KEYS[i])
end
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local is_counted = id == task_id
  for i = 2, #KEYS do
    is_counted = is_counted or redis.call('ZSCORE', KEYS[i], id)
  end
  if not is_counted then
    running = running + 1
  end
end
if running >= most then
  return 0
end
redis.call('ZADD', KEYS[1], now + kept_for, task_id)
return 1
