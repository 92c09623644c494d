-- include now.lua
--
-- Records that a read was answered: from now on its windows count. And for how long no read is made, for all workers, where
-- Defender asked for that.
--
-- KEYS  see take-read.lua
-- ARGV  1 read id   2 ms for which Defender wants no read, '' where it does not say
--
-- Returns  1
-- Writes   the time from which the read counts, no later than before; the hold, no sooner than before. It expires when it ends.
local made, hold = unpack(KEYS)
local now_up = clock[1] * 1000 + math.ceil(clock[2] / 1000)

redis.call('ZADD', made, 'XX', 'LT', string.format('%.0f', now_up), ARGV[1])
local for_ms = tonumber(ARGV[2])
if for_ms and now_up + for_ms > tonumber(redis.call('GET', hold) or '0') then
  redis.call('SET', hold, string.format('%.0f', now_up + for_ms), 'PX', string.format('%.0f', math.max(1, for_ms)))
end
return 1
