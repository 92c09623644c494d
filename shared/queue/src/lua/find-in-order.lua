-- include lib/places.lua
--
-- Says which place stands first on a machine, for one that wants to act there. One that Redis has lost, or that was taken for
-- gone, is entered again, behind all others.
--
-- KEYS  1 the last place that was given
-- ARGV  1 key space of the tenant's order   then for each: machine id, operation, coalescing key, place
--
-- Returns  for each what stands first: '<place> <operation> <key>'
local first = {}
for i = 2, #ARGV, 4 do
  local machine_key = ARGV[1] .. ':order:' .. ARGV[i]
  local member = ARGV[i + 3] .. ' ' .. ARGV[i + 1] .. ' ' .. ARGV[i + 2]
  if not redis.call('ZSCORE', machine_key, member) then
    redis.call('ZADD', machine_key, next_place(KEYS[1]), member)
  end
  first[#first + 1] = redis.call('ZRANGE', machine_key, 0, 0)[1]
end
return first
