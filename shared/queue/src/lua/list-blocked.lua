-- include now.lua
--
-- Lists blocked tasks for a look at what they wait for: of each caller in turn those that were looked at longest ago, which come
-- last the next time. So thousands of one caller do not keep those of another one from being looked at. What is left of the number
-- are those that were looked at longest ago, whosever they are: also one that an older version blocked. One that waits no more, since it
-- was cancelled or has expired, is none.
--
-- KEYS  1 blocked   2 waiting   3 blocked:callers
-- ARGV  1 how many   2 ms since the last look at one   3 key space
--
-- Returns  {ids}
local limit, before, space = tonumber(ARGV[1]), now - ARGV[2], ARGV[3]
local listed, is_listed = {}, {}

local function list(id)
  if is_listed[id] then
    return true
  elseif redis.call('ZSCORE', KEYS[2], id) then
    redis.call('ZADD', KEYS[1], now, id)
    listed[#listed + 1], is_listed[id] = id, true
    return true
  end
  redis.call('ZREM', KEYS[1], id)
  return false
end

-- Half of them are for callers in turn.
local callers = redis.call('ZRANGE', KEYS[3], 0, math.ceil(limit / 2) - 1)
for _, caller in ipairs(callers) do
  local key, share = space .. ':blocked:of:' .. caller, math.ceil(limit / 2 / #callers)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', before, 'LIMIT', 0, share)) do
    local seen_at = tonumber(redis.call('ZSCORE', KEYS[1], id) or '')
    if not seen_at or (seen_at <= before and not list(id)) then
      redis.call('ZREM', key, id)
    else
      redis.call('ZADD', key, seen_at <= before and now or seen_at, id)
    end
  end
  if redis.call('EXISTS', key) == 1 then
    redis.call('ZADD', KEYS[3], now, caller)
  else
    redis.call('ZREM', KEYS[3], caller)
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', before, 'LIMIT', 0, math.max(0, limit - #listed))) do
  list(id)
end
return listed
