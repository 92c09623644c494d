-- What all scripts share that move requests; it stands in front of each of them, and behind indexes.lua and stored-bytes.lua.
--
-- KEYS  1 counts   2 waiting   3 in_flight   4 reconciling   5 deadlines   6 order   7 callbacks due    (see store-keys.ts)
-- ARGV  1 key space   2 retention of what is settled, in ms
--
-- A script that calls `change_status` or `detach` calls `write_counts` once at its end.
local counts_key, waiting_key, in_flight_key, reconciling_key, deadlines_key, order_key, callbacks_key = unpack(KEYS)
local space, retention = ARGV[1], tonumber(ARGV[2])
local machines_key, callers_key = space .. ':machines', space .. ':counts:callers'
stored_key = space .. ':stored'

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local is_open = { queued = true, dispatching = true }

-- By batch id, '' for all requests: status -> by how much its number changes. All requests end through these counts, once
-- each, and none that ended is taken out of them: what is counted under '' for a status that is an end never falls.
local changes = { [''] = {} }

local function count(batch_id, status, by)
  changes[batch_id] = changes[batch_id] or {}
  changes[batch_id][status] = (changes[batch_id][status] or 0) + by
end

-- Caller -> by how much the number of its queued requests changes.
local queued_changes = {}

local function count_queued(caller, status, by)
  if caller ~= '' and status == 'queued' then
    queued_changes[caller] = (queued_changes[caller] or 0) + by
  end
end

-- Who asked for a request, '' where that is not known.
local function caller_of_request(request_key)
  local caller, more = unpack(redis.call('HMGET', request_key, 'caller', 'caller1'))
  return (caller or '') .. (more or '')
end

-- The field of a task that counts which of its requests this caller has joined to it; short, see indexes.lua.
local function joined_by(caller)
  return 'by:' .. (#caller <= 40 and caller or redis.sha1hex(caller))
end

-- Gives a request another status. `batch_id` and `callback` are its fields, nil where it has none.
local function change_status(request_id, old_status, status, machine, batch_id, callback)
  local request_key = space .. ':request:' .. request_id
  redis.call('HSET', request_key, 'status', status)
  if status ~= old_status then
    count('', old_status, -1)
    count('', status, 1)
    if old_status == 'queued' or status == 'queued' then
      local caller = caller_of_request(request_key)
      count_queued(caller, old_status, -1)
      count_queued(caller, status, 1)
    end
    if batch_id then
      count(batch_id, old_status, -1)
      count(batch_id, status, 1)
    end
  end
  if is_open[status] then
    index_move(request_id, old_status, status)
    return
  end
  local source = source_in(doc_of(request_key))
  index_end(request_id, old_status, status, machine, source, now + retention)
  forget_ended(now)
  redis.call('PEXPIRE', request_key, retention)
  goes_in(request_key, caller_of_request(request_key), retention, now)
  if callback then
    redis.call('RPUSH', callbacks_key, request_id)
  end
end

local function complete_if_done(batch_id, batch_key)
  local queued, dispatching, accepting, callback, caller = unpack(
    redis.call('HMGET', batch_key, 'queued', 'dispatching', 'accepting', 'callback', 'caller'))
  if accepting or (tonumber(queued) or 0) > 0 or (tonumber(dispatching) or 0) > 0 then
    return
  end
  redis.call('HSET', batch_key, 'completedAt', now)
  redis.call('PEXPIRE', batch_key, retention)
  redis.call('PEXPIRE', batch_key .. ':items', retention)
  goes_in(batch_key, caller or '', retention, now)
  if callback then
    redis.call('RPUSH', callbacks_key, 'batch:' .. batch_id)
  end
end

-- Writes what `change_status` counted, and completes the batches that have nothing open any more.
local function write_counts()
  for caller, by in pairs(queued_changes) do
    if by ~= 0 and redis.call('HINCRBY', callers_key, caller, by) <= 0 then
      redis.call('HDEL', callers_key, caller)
    end
  end
  for batch_id, by_status in pairs(changes) do
    local key = batch_id == '' and counts_key or space .. ':batch:' .. batch_id
    -- A batch that was never sealed goes by itself: counting on would bring it back, for ever.
    if batch_id == '' or redis.call('EXISTS', key) == 1 then
      for status, by in pairs(by_status) do
        if by ~= 0 then
          redis.call('HINCRBY', key, status, by)
        end
      end
      if batch_id ~= '' then
        complete_if_done(batch_id, key)
      end
    end
  end
end

-- The number of tasks of a class that wait, see order.lua.
local function count_waiting(priority, by)
  if priority then
    redis.call('HINCRBY', order_key, 'waiting:' .. priority, by)
  end
end

-- A task without requests, or whose outcome is stored: its machine is free for a new one.
local function close_task(task_id, machine, call_id)
  local task_key = space .. ':task:' .. task_id
  redis.call('HSET', task_key, 'state', 'settled', 'call', call_id)
  if redis.call('HGET', machines_key, machine) == task_id then
    redis.call('HDEL', machines_key, machine)
  end
  redis.call('PEXPIRE', task_key, retention)
  redis.call('PEXPIRE', task_key .. ':joined', retention)
end

-- The machine that a request asked for, '' where that cannot be read.
local function machine_in(doc)
  local is_json, asked = pcall(cjson.decode, doc)
  return is_json and type(asked) == 'table' and type(asked.machineId) == 'string' and asked.machineId or ''
end

-- Takes a queued request out of its task and ends it with this status. The next one that joined takes the first
-- one's place; with the last one the task ends, and its job has nothing left to do.
--
-- fields   {name, value, …} to set on the request, {} for none
-- Returns  true, task id, whether the task ended
--          false, present status or 'missing': a request that is not queued stays as it is
local function detach(request_id, status, fields)
  local request_key = space .. ':request:' .. request_id
  local old_status, task_id, batch_id, callback = unpack(
    redis.call('HMGET', request_key, 'status', 'task', 'batch', 'callback'))
  if old_status ~= 'queued' then
    return false, old_status or 'missing'
  end
  if #fields > 0 then
    redis.call('HSET', request_key, unpack(fields))
  end
  -- Its task may be corrupt or gone: one such request must not keep all others from being cancelled or expiring.
  task_id = task_id or ''
  local task_key = space .. ':task:' .. task_id
  local first, machine, priority = unpack(redis.call('HMGET', task_key, 'first', 'machine', 'priority'))
  machine = machine or machine_in(doc_of(request_key))
  change_status(request_id, old_status, status, machine, batch_id, callback)
  redis.call('ZREM', deadlines_key, request_id)
  if redis.call('HEXISTS', request_key, 'with') == 1 then
    local field = joined_by(caller_of_request(request_key))
    if redis.call('HEXISTS', task_key, field) == 1 and redis.call('HINCRBY', task_key, field, -1) <= 0 then
      redis.call('HDEL', task_key, field)
    end
  end
  if first ~= request_id then
    redis.call('ZREM', task_key .. ':joined', request_id)
    if first or redis.call('ZCARD', task_key .. ':joined') > 0 then
      return true, task_id, false
    end
  end
  local next_one = redis.call('ZPOPMIN', task_key .. ':joined')[1]
  if next_one then
    redis.call('HSET', task_key, 'first', next_one)
    return true, task_id, false
  end
  redis.call('ZREM', waiting_key, task_id)
  count_waiting(priority, -1)
  close_task(task_id, machine, '')
  return true, task_id, true
end
