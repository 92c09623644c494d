-- include now.lua
--
-- Lists blocked tasks for a look at what they wait for: those that were looked at longest ago, which come last the next time.
-- One that waits no more, since it was cancelled or has expired, is none.
--
-- KEYS  1 blocked   2 waiting
-- ARGV  1 how many   2 ms since the last look at one
--
-- Returns  {ids}
local listed = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2], 'LIMIT', 0, ARGV[1])) do
  if redis.call('ZSCORE', KEYS[2], id) then
    redis.call('ZADD', KEYS[1], now, id)
    listed[#listed + 1] = id
  else
    redis.call('ZREM', KEYS[1], id)
  end
end
return listed
