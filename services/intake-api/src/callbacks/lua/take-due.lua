-- include now.lua
--
-- Takes callbacks that are due, for one intake alone, which makes jobs of them. If it dies, another one takes them again
-- when its time is up: making a job twice makes one.
--
-- KEYS  1 due   2 moving                            (see store-keys.ts)
-- ARGV  1 how many at most   2 ms for which they are taken
--
-- Returns  {until, entry, entry, …}; `until` tells end-move.lua whose they are
-- Writes   each entry leaves 'due' and stands in 'moving' until that time
local due_key, moving_key = KEYS[1], KEYS[2]
local limit, taken_for = tonumber(ARGV[1]), tonumber(ARGV[2])

local taken = { now + taken_for }
local function take(entry)
  redis.call('ZADD', moving_key, now + taken_for, entry)
  taken[#taken + 1] = entry
end

-- What another one left behind goes first: it has waited longest.
local left = redis.call('ZRANGEBYSCORE', moving_key, '-inf', now, 'LIMIT', 0, limit)
for i = 1, #left do
  take(left[i])
end
local fresh = #left < limit and redis.call('LPOP', due_key, limit - #left) or {}
for i = 1, #fresh do
  take(fresh[i])
end
return taken
