-- include now.lua
--
-- Places in the order of a machine are numbers that only grow: microseconds of Redis' clock, so that they do after a
-- failover too.
local function next_place(last_key)
  local last = tonumber(redis.call('GET', last_key) or '0')
  local place = string.format('%.0f', math.max(clock[1] * 1000000 + clock[2], last + 1))
  redis.call('SET', last_key, place)
  return place
end
