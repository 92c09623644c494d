-- Reads the newest of several lists of requests in one step, so that a request which moves from one to another meanwhile is
-- in exactly one of them. A script and not a transaction: that is refused as a whole while Redis is full.
--
-- KEYS  lists of request ids, ordered by their bytes (indexes.lua)
-- ARGV  1 '(' and what all of them are before   2 '[' and what none is before   3 how many of each at most
--
-- Returns  for each list its ids, newest first
-- Writes   nothing
local newest = {}
for i, key in ipairs(KEYS) do
  newest[i] = redis.call('ZRANGE', key, ARGV[1], ARGV[2], 'BYLEX', 'REV', 'LIMIT', 0, ARGV[3])
end
return newest
