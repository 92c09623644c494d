-- include lib/detach.lua, lib/results.lua
--
-- Moves a task and every request that it serves, in one step: begun, given back, looked up, settled.
--
-- KEYS  see lib/request-status.lua
-- ARGV  3 task id   4 call id or '' when no call is concerned
--       5 states it may be in, separated by |: waiting, in_flight, reconciling
--       6 state it gets: waiting | in_flight | reconciling | settled
--       7 status its open requests get
--       8 JSON object: fields to set on each of these requests
--       9 calls to add to those made for it; none when it was being looked up, whose call is counted already. -1 takes
--         back that one
--      10 what is in doubt, for 'reconciling'       11 ms until Defender is asked for the first time
--      12 JSON of the error for requests whose own deadline has passed when a call begins
--      13 for a call that was begun before, which Redis has lost: when its permit was spent (ms), else ''
--      14 the look that ends it without a call, else ''   15 why that saves a slot, '' where it is not counted
--      16 ms for which the result of a started call is followed, 0 for never   17 ms until it is looked for in Defender
--
-- Returns  {1, {ids of the requests moved}, {ids of those that expired instead}}
--          {0, present state or 'missing', call id it is in the hands of or '', {ids of those that expired}}
-- Writes   all or nothing. Begun, looked up or settled again with the same call id it changes nothing and returns
--          {1, {}, {}}: a client may send a script twice. A move out of 'in_flight' or 'reconciling' is refused to any call
--          but the one that began it. The reason for which it is looked up stands in its requests for as long as it is.
--          A look ends only a task that is still its own, and in time; one with a request that wants a result of its own is
--          not ended by what covers the machine.
--          A call begins without the requests whose deadline has passed; where none is left, the task ends without it. One
--          that was begun before was begun in time.
--          A result that was reported to requests is remembered with its machine for a minute, in machine:<id>:reported: a
--          later call for the machine cannot have made it. One that was started is also kept for a day, or for as long as
--          it is followed, with its coalescing key, in machine:<key>:recent, for requests that would rather share it than
--          start another. Where results are followed it stands with the task, see lib/results.lua.
local task_id, call_id, from, to, status = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local calls_to_add, cause, first_look_in, deadline_error = tonumber(ARGV[9]), ARGV[10], tonumber(ARGV[11]), ARGV[12]
local began_at, look_id, saved_by = tonumber(ARGV[13]), ARGV[14], ARGV[15]
if look_id ~= '' then
  -- In place of a call: what ended otherwise meanwhile is not taken for ended by this.
  call_id = look_id
end
local reported_for, recent_for = 60000, 24 * 3600000

local task_key = space .. ':task:' .. task_id
local state, owner, created, calls, priority, virtual_start, sent_at, first = unpack(redis.call('HMGET', task_key,
  'state', 'call', 'createdAt', 'calls', 'priority', 'virtualStart', 'sentAt', 'first'))
state, owner, calls = state or 'missing', owner or '', tonumber(calls) or 0
-- What is corrupt, or gone, must be able to end, and to let go of its key. Without a readable state it is where the
-- indexes have it.
local machine, key = machine_of(task_key, space .. ':request:' .. (first or ''))
if not string.find('|waiting|in_flight|reconciling|settled|', '|' .. state .. '|', 1, true) then
  state = redis.call('ZSCORE', in_flight_key, task_id) and 'in_flight'
    or redis.call('ZSCORE', reconciling_key, task_id) and 'reconciling'
    or redis.call('ZSCORE', waiting_key, task_id) and 'waiting' or 'missing'
end
if state == to and owner == call_id then
  return { 1, {}, {} }
end
local is_allowed = string.find('|' .. from .. '|', '|' .. state .. '|', 1, true)
if not is_allowed or (state ~= 'waiting' and owner ~= call_id) then
  return { 0, state, owner, {} }
end
local given = cjson.decode(ARGV[8])
local follow_for, first_read_in = tonumber(ARGV[16]), tonumber(ARGV[17])
local result = given.investigationId or given.actionId
local is_followed = result and status == 'started' and follow_for > 0
if look_id ~= '' then
  local looked_by, look_until, forced = unpack(redis.call('HMGET', task_key, 'lookBy', 'lookUntil', 'forced'))
  if looked_by ~= look_id or now > (tonumber(look_until) or 0) or (forced and given.attached) then
    return { 0, state, owner, {} }
  end
  if saved_by ~= '' then
    count('', 'saved:' .. saved_by, 1)
  end
elseif to == 'in_flight' then
  redis.call('HDEL', task_key, 'lookBy', 'lookAt', 'lookUntil')
end
local is_counted = state == 'reconciling'
calls = calls + (is_counted and math.min(calls_to_add, 0) or math.max(calls_to_add, 0))

local function served()
  local ids = redis.call('ZRANGE', task_key .. ':joined', 0, -1)
  local first = redis.call('HGET', task_key, 'first')
  if first then
    table.insert(ids, 1, first)
  end
  return ids
end

local expired = {}
if to == 'in_flight' and not began_at then
  for _, request_id in ipairs(served()) do
    local not_after = redis.call('HGET', space .. ':request:' .. request_id, 'notAfter')
    if not_after and tonumber(not_after) <= now then
      local _, _, has_ended = detach(request_id, 'expired', { 'error', deadline_error })
      expired[#expired + 1] = request_id
      if has_ended then
        write_counts()
        return { 0, 'settled', '', expired }
      end
    end
  end
end

local fields = {}
for name, value in pairs(given) do
  fields[#fields + 1] = name
  fields[#fields + 1] = tostring(value)
end
if calls > 0 or is_counted then
  fields[#fields + 1] = 'attempts'
  fields[#fields + 1] = calls
end
if to == 'in_flight' then
  fields[#fields + 1] = 'dispatchedAt'
  fields[#fields + 1] = ARGV[13] ~= '' and ARGV[13] or now
end

local function move_request(request_id)
  local request_key = space .. ':request:' .. request_id
  local old_status, batch_id, callback, not_after = unpack(
    redis.call('HMGET', request_key, 'status', 'batch', 'callback', 'notAfter'))
  if not is_open[old_status] then
    return false
  end
  if state == 'reconciling' then
    redis.call('HDEL', request_key, 'error')
  end
  if #fields > 0 then
    redis.call('HSET', request_key, unpack(fields))
  end
  if status == 'queued' then
    redis.call('HDEL', request_key, 'dispatchedAt')
  end
  if not_after and status == 'queued' then
    redis.call('ZADD', deadlines_key, not_after, request_id)
  elseif not_after and old_status == 'queued' then
    redis.call('ZREM', deadlines_key, request_id)
  end
  change_status(request_id, old_status, status, machine, batch_id, callback)
  if is_followed then
    follow_result_of(request_id, batch_id or nil)
  end
  count('', 'reconciling', (to == 'reconciling' and 1 or 0) - (state == 'reconciling' and 1 or 0))
  return true
end

local moved = {}
for _, request_id in ipairs(served()) do
  if move_request(request_id) then
    moved[#moved + 1] = request_id
  end
end
write_counts()

if calls > 0 or is_counted then
  redis.call('HSET', task_key, 'calls', calls)
end
redis.call('ZREM', ({ waiting = waiting_key, in_flight = in_flight_key, reconciling = reconciling_key })[state], task_id)
if state == 'waiting' then
  count_waiting(priority, -1)
elseif state == 'reconciling' then
  redis.call('HDEL', task_key, 'cause', 'error', 'unresolvedSince')
  -- An older worker, which did not count these requests, may have begun the look-up.
  if redis.call('ZCARD', reconciling_key) == 0 then
    redis.call('HDEL', counts_key, 'reconciling')
  end
end

if to == 'settled' then
  close_task(task_id, key, call_id)
  if result then
    local reported_key = space .. ':machine:' .. machine .. ':reported'
    redis.call('SADD', reported_key, tostring(result))
    redis.call('PEXPIRE', reported_key, reported_for)
  end
  -- What runs without a call of ours began at a time of its own.
  if result and status == 'started' and look_id == '' then
    redis.call('SET', space .. ':machine:' .. key .. ':recent', cjson.encode({
      request = moved[1], task = task_id, investigation = given.investigationId, action = given.actionId,
      startedAt = sent_at or tostring(now), attached = given.attached and true or false,
    }), 'PX', math.max(recent_for, is_followed and follow_for or 0))
  end
  if is_followed then
    redis.call('HSET', task_key, 'result', tostring(result), 'outcome', 'running', 'until', now + follow_for)
    if given.attached then
      redis.call('HSET', task_key, 'attached', 1)
    end
    redis.call('ZADD', results_key, now + first_read_in, task_id)
  end
  return { 1, moved, expired }
end

redis.call('HSET', task_key, 'state', to, 'call', call_id)
if to == 'in_flight' then
  redis.call('HSET', task_key, 'sentAt', ARGV[13] ~= '' and ARGV[13] or now)
  redis.call('ZADD', in_flight_key, began_at or now, task_id)
  advance_class(priority, tonumber(virtual_start))
elseif to == 'waiting' then
  redis.call('HSET', task_key, 'call', '')
  redis.call('ZADD', waiting_key, created, task_id)
  count_waiting(priority, 1)
else
  -- Kept with the task too: a request that joins now gets the same reason.
  redis.call('HSET', task_key, 'cause', cause, 'error', given.error, 'unresolvedSince', now)
  redis.call('ZADD', reconciling_key, now + first_look_in, task_id)
end
return { 1, moved, expired }
