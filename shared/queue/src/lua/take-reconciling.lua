-- include now.lua
--
-- Takes the task whose next look in Defender is due for the longest, for one worker alone: its time is put ahead, so
-- that no other worker takes it meanwhile, and it comes back by itself if that worker dies.
--
-- KEYS  1 reconciling                               (see store-keys.ts)
-- ARGV  1 key space   2 ms for which it is taken
--
-- Returns  {task id or '', now}
-- Writes   its next time; what is in the index without being looked up leaves it
local reconciling_key, space, taken_for = KEYS[1], ARGV[1], tonumber(ARGV[2])

while true do
  local due = redis.call('ZRANGEBYSCORE', reconciling_key, '-inf', now, 'LIMIT', 0, 1)[1]
  if not due then
    return { '', now }
  end
  if redis.call('HGET', space .. ':task:' .. due, 'state') == 'reconciling' then
    redis.call('ZADD', reconciling_key, now + taken_for, due)
    return { due, now }
  end
  redis.call('ZREM', reconciling_key, due)
end
