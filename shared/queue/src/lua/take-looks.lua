-- include lib/request-status.lua
--
-- Chooses the tasks that Defender is asked about before their calls: those whose slots open soon, as far as no look at them
-- counts. Each is one look's for a while.
--
-- KEYS  see lib/request-status.lua; 8 BullMQ's sorted set of jobs in the order, or that of tasks whose machine is offline
-- ARGV  3 look id   4 ms for which they are this look's alone   5 ms for which it counts that a machine was looked at, ''
--       where machines cannot be read   6 the same for what covers it   7 slots that open soon   8 of these kept for
--       critical ones   9 jobs searched, at most   10 none are taken while a look counts for so many of those to be called
--       11 tasks taken, at most
--
-- Returns  '1' if the next call would be made without a look that is under way or can be made, else '': that of a critical task
--          waits for none; then for each task: id, machine, '1' if its machine is to be looked at, '1' if what covers it is, JSON of what
--          its first request asked
-- Writes   'lookBy', 'lookAt' and 'lookUntil' of these tasks
local job_order, look_id, lease = KEYS[8], ARGV[3], tonumber(ARGV[4])
local machine_for, cover_for = tonumber(ARGV[5]), tonumber(ARGV[6])
local slots, kept, searched, enough = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local most = tonumber(ARGV[11])

local function is_due(seen_at, counts_for)
  return counts_for ~= nil and now - (tonumber(seen_at) or -math.huge) >= counts_for
end

local due, settled, is_next_open = {}, 0, nil
for _, task_id in ipairs(redis.call('ZRANGE', job_order, 0, searched - 1)) do
  local state, priority, machine, first, look_until, seen_machine, seen_cover, forced = unpack(redis.call('HMGET',
    space .. ':task:' .. task_id, 'state', 'priority', 'machine', 'first', 'lookUntil', 'seenMachine', 'seenCover',
    'forced'))
  if state == 'waiting' and machine and first and (slots > kept or (priority == 'critical' and slots > 0)) then
    slots = slots - 1
    local of_machine = is_due(seen_machine, machine_for)
    local of_cover = not forced and is_due(seen_cover, cover_for)
    local is_seen = not of_machine and not of_cover
    if is_next_open == nil then
      is_next_open = not is_seen and priority ~= 'critical' and '1' or ''
    end
    if is_seen then
      settled = settled + 1
    elseif (tonumber(look_until) or 0) <= now and #due < most then
      due[#due + 1] = { task_id, machine, of_machine and '1' or '', of_cover and '1' or '', first }
    end
  end
  if slots == 0 then
    break
  end
end
local taken = { is_next_open or '' }
if settled >= enough then
  return taken
end

for _, one in ipairs(due) do
  one[5] = doc_of(space .. ':request:' .. one[5]) or ''
  for _, part in ipairs(one) do
    taken[#taken + 1] = part
  end
  redis.call('HSET', space .. ':task:' .. one[1], 'lookBy', look_id, 'lookAt', now, 'lookUntil', now + lease)
end
return taken
