-- include lib/places.lua
--
-- Gives accepted requests their places in the order of their machines: operations that may not overtake each other act on a
-- machine one at a time, in the order of these places. A request that asks for the same as the last one on its machine gets
-- that one's place, and so shares its call.
--
-- KEYS  1 the last place that was given
-- ARGV  1 key space of the tenant's order   2 'enter', or 'look': then nothing is written
--       then for each request: machine id, operation, coalescing key
--
-- order:<machine>   sorted set: '<place> <operation> <key>' -> where it stands; the one that stands first may act. It goes
--                   when what it was for has ended and another one waits behind it (leave-order.lua)
--
-- Returns  for each request its place, '' for a new one in a look
local space, is_look = ARGV[1], ARGV[2] == 'look'
-- Longer than anything waits; what is left of a machine on which nothing was asked for since goes by then.
local kept_for = 60 * 24 * 3600000

local places = {}
for i = 3, #ARGV, 3 do
  local machine_key = space .. ':order:' .. ARGV[i]
  local asked = ' ' .. ARGV[i + 1] .. ' ' .. ARGV[i + 2]
  local last = redis.call('ZRANGE', machine_key, -1, -1)[1]
  local place = last and string.match(last, '^(%d+)')
  if not place or place .. asked ~= last then
    place = ''
    if not is_look then
      place = next_place(KEYS[1])
      redis.call('ZADD', machine_key, place, place .. asked)
      redis.call('PEXPIRE', machine_key, kept_for)
    end
  end
  places[#places + 1] = place
end
return places
