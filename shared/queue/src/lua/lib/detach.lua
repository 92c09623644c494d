-- include class-progress.lua
--
-- Takes requests out of their tasks, and ends the tasks that have none left.
--
-- KEYS  see request-status.lua
-- ARGV  see request-status.lua

-- A task without requests, or whose outcome is stored: its coalescing key is free for a new one.
local function close_task(task_id, key, call_id)
  local task_key = space .. ':task:' .. task_id
  redis.call('HSET', task_key, 'state', 'settled', 'call', call_id)
  if redis.call('HGET', machines_key, key) == task_id then
    redis.call('HDEL', machines_key, key)
  end
  -- Its machine was never known.
  if string.find(key, '=', 1, true) then
    redis.call('ZREM', space .. ':unresolved', task_id)
  end
  redis.call('PEXPIRE', task_key, retention)
  redis.call('PEXPIRE', task_key .. ':joined', retention)
end

-- Machine and coalescing key of a task; where it has lost them, those of this request of it.
local function machine_of(task_key, request_key)
  local machine, key = unpack(redis.call('HMGET', task_key, 'machine', 'key'))
  if machine then
    return machine, key or machine
  end
  local found, its_key = found_by(doc_of(request_key))
  return found.machine, its_key
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
  local first, priority = unpack(redis.call('HMGET', task_key, 'first', 'priority'))
  local machine, key = machine_of(task_key, request_key)
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
  close_task(task_id, key, '')
  return true, task_id, true
end
