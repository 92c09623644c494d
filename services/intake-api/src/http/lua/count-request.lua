-- Counts a request in the present window of its caller.
--
-- KEYS  1 count
-- ARGV  1 length of the window, ms
--
-- Returns  {requests in this window, ms until it ends}
local count = redis.call('INCR', KEYS[1])
local ends_in = redis.call('PTTL', KEYS[1])
if ends_in < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  ends_in = tonumber(ARGV[1])
end
return { count, ends_in }
