-- include task-place.lua
--
-- The open task of a coalescing key while requests join it: it is read, changed here as requests join, and written when all
-- of them have their places.
--
-- task     as for task-place.lua, with `not_after`, `promoted`, `joined`, `of_caller`; `came`, the requests that joined just now
--          (members for ZADD); `warnings`; `forced` where one of them wants a result of its own; `is_new`,
--          `is_deadline_changed`: what is to be written
-- caller   who asked for these requests, or ''   arrived_at  their time of arrival, ms

local function append(list, first, second)
  list[#list + 1], list[#list + 2] = first, second
end

-- Returns  the task without `came`; nil for one that is corrupt, or gone: it cannot be joined. Its key gets a task of its own,
--          and no request is refused for it
local function read_task(task_id, caller)
  local task_key = space .. ':task:' .. task_id
  local state, first, priority, virtual_start, job_priority, not_after, is_promoted, sent_at, why, calls, flow_caller, warnings, of_caller =
    unpack(redis.call('HMGET', task_key, 'state', 'first', 'priority', 'virtualStart', 'jobPriority', 'notAfter', 'promoted',
      'sentAt', 'error', 'calls', 'flowCaller', 'warnings', joined_by(caller)))
  virtual_start, job_priority = tonumber(virtual_start), tonumber(job_priority)
  if (state ~= 'waiting' and state ~= 'in_flight' and state ~= 'reconciling') or not first or not urgency[priority]
    or not virtual_start or not job_priority then
    return nil
  end
  return { id = task_id, state = state, first = first, priority = priority, virtual_start = virtual_start, job_priority = job_priority,
    not_after = tonumber(not_after), promoted = is_promoted and true or nil, sent_at = sent_at or nil, error = why or nil,
    calls = calls or nil, flow_caller = flow_caller or nil, warnings = warnings or nil,
    joined = redis.call('ZCARD', task_key .. ':joined'), of_caller = tonumber(of_caller) or 0 }
end

-- Lets a request join.
--
-- Returns  the request's status; fields and values of what it shares with the others of the task
local function join(task, request_id, not_after, caller, arrived_at)
  task.joined, task.of_caller = task.joined + 1, task.of_caller + (caller ~= '' and 1 or 0)
  append(task.came, arrived_at, request_id)
  -- A task waits as long as its most patient request: without a deadline on one of them it has none.
  if task.not_after and (not_after == '' or tonumber(not_after) > task.not_after) then
    task.not_after, task.is_deadline_changed = tonumber(not_after), true
  end
  local shared = { 'with', task.first }
  if task.calls then
    append(shared, 'attempts', task.calls)
  end
  if task.warnings then
    append(shared, 'warnings', task.warnings)
  end
  if task.state == 'waiting' then
    return 'queued', shared
  end
  if task.sent_at then
    append(shared, 'dispatchedAt', task.sent_at)
  end
  if task.error then
    append(shared, 'error', task.error)
  end
  if task.state == 'reconciling' then
    count('', 'reconciling', 1)
  end
  return 'dispatching', shared
end

-- Writes a new task, or what has changed of one that was read, and the requests that joined.
--
-- key      its coalescing key
local function write_task(key, task, caller, arrived_at)
  local task_key, came = space .. ':task:' .. task.id, #task.came / 2
  local fields = (task.is_new or task.is_changed) and { place_of(task) } or {}
  if task.is_new then
    append(fields, 'state', 'waiting')
    append(fields, 'machine', task.machine)
    if key ~= task.machine then
      append(fields, 'key', key)
    end
    append(fields, 'first', task.first)
    append(fields, 'createdAt', arrived_at)
  end
  if task.promoted then
    append(fields, 'promoted', 1)
  end
  if task.forced then
    append(fields, 'forced', 1)
  end
  if task.not_after and (task.is_new or task.is_deadline_changed) then
    append(fields, 'notAfter', string.format('%.0f', task.not_after))
  elseif task.is_deadline_changed then
    redis.call('HDEL', task_key, 'notAfter')
  end
  if #fields > 0 then
    redis.call('HSET', task_key, unpack(fields))
  end
  note_flow(task_key, task)
  if came > 0 then
    redis.call('ZADD', task_key .. ':joined', unpack(task.came))
  end
  if came > 0 and caller ~= '' then
    redis.call('HINCRBY', task_key, joined_by(caller), came)
  end
end
