-- Reads the ledger in one step, for quota, forecast, metrics and the worker's next decision.
--
-- KEYS  1 calls   2 entries   3 holds   4 settings
-- ARGV  1 limit   2 window ms      what applies where no worker has written settings yet
--
-- Returns  {now, limit, window ms, {reason, until, ...} of the holds that are on, {free at, entry JSON, ...} in use}
-- Writes   nothing.
local calls, entries, holds, settings = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local limit, window = unpack(redis.call('HMGET', settings, 'limit', 'windowMs'))

local on = {}
local all_holds = redis.call('HGETALL', holds)
for i = 1, #all_holds, 2 do
  if tonumber(all_holds[i + 1]) > now then
    on[#on + 1] = all_holds[i]
    on[#on + 1] = tonumber(all_holds[i + 1])
  end
end

local in_use = redis.call('ZRANGEBYSCORE', calls, '(' .. now, '+inf', 'WITHSCORES')
local slots = {}
for i = 1, #in_use, 2 do
  slots[#slots + 1] = tonumber(in_use[i + 1])
  slots[#slots + 1] = redis.call('HGET', entries, in_use[i]) or 'null'
end
return { now, tonumber(limit or ARGV[1]), tonumber(window or ARGV[2]), on, slots }
