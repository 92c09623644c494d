-- include lib/request-status.lua
--
-- Takes tasks whose machine is asked for by a name and not known yet, those that go first before others. Each is one look's for
-- a while.
--
-- KEYS  see lib/request-status.lua
-- ARGV  3 look id   4 ms for which they are this look's alone   5 tasks searched, at most   6 tasks taken, at most
--
-- Returns  id and name of each
-- Writes   'lookBy', 'lookAt' and 'lookUntil' of these tasks. What is no task that waits for its machine is taken out of `unresolved`
local look_id, lease, searched, most = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local unresolved_key = space .. ':unresolved'

local taken = {}
for _, task_id in ipairs(redis.call('ZRANGE', unresolved_key, 0, searched - 1)) do
  local task_key = space .. ':task:' .. task_id
  local state, machine, look_until = unpack(redis.call('HMGET', task_key, 'state', 'machine', 'lookUntil'))
  if state ~= 'waiting' or not machine or not string.find(machine, '=', 1, true) then
    redis.call('ZREM', unresolved_key, task_id)
  elseif (tonumber(look_until) or 0) <= now and #taken < 2 * most then
    taken[#taken + 1], taken[#taken + 2] = task_id, machine
    redis.call('HSET', task_key, 'lookBy', look_id, 'lookAt', now, 'lookUntil', now + lease)
  end
end
return taken
