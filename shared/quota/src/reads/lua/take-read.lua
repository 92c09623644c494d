-- include now.lua
--
-- Takes one read of a tenant's budget, or returns when one can be taken. Every window must have room. A read counts as a call
-- does in the ledger: from its answer (settle-read.lua), else from the moment by which it must have been given up.
--
-- KEYS  1 made   sorted set: read id -> time (ms) from which its windows count
--       2 hold   string: time (ms) until which Defender asked to be left alone
-- ARGV  1 read id   2 ms after which it must have been given up   3 … reads and window ms of each limit, two arguments each
--
-- Returns  {1, 0, now, used in each window, ...}       taken
--          {0, when to ask again, now, used, ...}      not taken
-- Writes   the read, if it was taken; what counts in no window goes. Asked again with the same id it is taken once.
local made, hold = unpack(KEYS)
local id, timeout = ARGV[1], tonumber(ARGV[2])
local now_up = clock[1] * 1000 + math.ceil(clock[2] / 1000)

local back_at, longest = tonumber(redis.call('GET', hold) or '0'), 0
for i = 3, #ARGV, 2 do
  local reads, window = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local newest = redis.call('ZRANGE', made, reads - 1, reads - 1, 'REV', 'WITHSCORES')
  -- So many are in use while that one counts, and the next can come when it no longer does.
  back_at = math.max(back_at, (tonumber(newest[2]) or -window) + window)
  longest = math.max(longest, window)
end

local is_taken = redis.call('ZSCORE', made, id) or back_at <= now
if is_taken then
  redis.call('ZREMRANGEBYSCORE', made, '-inf', string.format('%.0f', now - longest))
  redis.call('ZADD', made, 'NX', string.format('%.0f', now_up + timeout), id)
  redis.call('PEXPIRE', made, string.format('%.0f', longest + timeout + 1))
end
local reply = { is_taken and 1 or 0, is_taken and 0 or back_at, now }
for i = 4, #ARGV, 2 do
  reply[#reply + 1] = redis.call('ZCOUNT', made, '(' .. string.format('%.0f', now - tonumber(ARGV[i])), '+inf')
end
return reply
