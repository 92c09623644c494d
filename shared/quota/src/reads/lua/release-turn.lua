-- Gives a turn back, if it is still on.
--
-- KEYS  see take-turn.lua
-- ARGV  1 turn id
--
-- Returns  1, or 0 where it is over: another one's is left alone
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
