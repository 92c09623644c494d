-- include now.lua
--
-- Sets when the lease of a permit ends if its process does not end it before, on this server's clock.
--
-- KEYS  1 leases    Bottleneck's sorted set: job -> time (ms) at which it is taken for lost
-- ARGV  1 job   2 'in' or 'at'   3 so many ms from now, or at that time (ms): it is over from the next one on
--
-- Returns  1 when the lease was changed, 0 when it had ended
-- Writes   the end of a lease that is there.
local ends = tonumber(ARGV[3]) + (ARGV[2] == 'in' and now or 0)
return redis.call('ZADD', KEYS[1], 'XX', 'CH', string.format('%.0f', ends), ARGV[1])
