-- include now.lua
--
-- What is queued, and what came of results, at one instant.
--
-- KEYS  1 counts   2 counts by source   3 changes of the length, see lib/queue-length.lua   4 requests by outcome
-- ARGV  1 how many sources   2 … outcomes
--
-- Returns  time in ms, requests that are queued, how many sources they have, {source, number, …} of those with the most,
--          {begin of a step, change, …}, {requests of each outcome}
local queued = tonumber(redis.call('HGET', KEYS[1], 'queued') or 0)
local most = redis.call('ZRANGE', KEYS[2], 0, ARGV[1] - 1, 'REV', 'WITHSCORES')
local by_outcome = {}
for i = 2, #ARGV do
  -- The character behind the colon ends the range.
  by_outcome[i - 1] = redis.call('ZLEXCOUNT', KEYS[4], '[' .. ARGV[i] .. ':', '(' .. ARGV[i] .. ';')
end
return { now, queued, redis.call('ZCARD', KEYS[2]), most, redis.call('HGETALL', KEYS[3]), by_outcome }
