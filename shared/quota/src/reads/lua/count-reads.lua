-- include now.lua
--
-- KEYS  see take-read.lua
-- ARGV  1 … window ms of each limit
--
-- Returns  {reads in use in each window, ...}
-- Writes   nothing.
local reply = {}
for i, window in ipairs(ARGV) do
  reply[i] = redis.call('ZCOUNT', KEYS[1], '(' .. string.format('%.0f', now - tonumber(window)), '+inf')
end
return reply
