-- Reads the signs of life of the worker processes that serve a queue.
--
-- KEYS  as sign-worker.lua
-- ARGV  1 key space
--
-- Returns  {sign, ...}
-- Writes   nothing.
local found = {}
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  local spaces = redis.call('HGET', KEYS[2], flat[i])
  if spaces and string.find(spaces, '\n' .. ARGV[1] .. '\n', 1, true) then
    found[#found + 1] = flat[i + 1]
  end
end
return found
