-- include order.lua
--
-- The place of one task in the order: how it moves up, and whose place it has.
--
-- own:<caller>   a field of a task that has another caller's place: where it would stand by this caller's own requests
-- raisedBy       a field of a task that was moved up: the request for which that was done
-- raisedOn       'machine' where that request waits behind it for its turn on the machine; '' where it shares the call
-- left:<class>   a field of a task that was made more urgent: its virtual start in the class that it left, and whose that is

-- Keeps the place that a task has, or would have, by a caller's own requests, while it has the place of another one:
-- where it goes when that one's call has to wait (charge-flow.lua). A place is a virtual start less the head start of its class.
local function keep_place(task, caller, place)
  if caller == '' then
    return
  end
  task.own = task.own or {}
  if task.own[caller] == nil then
    task.own[caller] = tonumber(redis.call('HGET', space .. ':task:' .. task.id, 'own:' .. caller)) or nil
  end
  if not task.own[caller] or place < task.own[caller] then
    task.own[caller], task.is_changed = place, true
  end
end

-- Moves a task up to where a fresh one of this class and flow would stand, if that is before its place, and makes
-- it of this class if that is the more urgent one. It never moves back.
--
-- task     what the script has read of it: id, state, first, priority, virtual_start, job_priority, flow_caller. They are changed
--          here, `flow` is set where its place is another flow's now, `left` where it leaves a class,
--          `is_raised` where it moves up (the script sets `raised_by`), and `is_changed` where there is something to write
-- Returns  whether its job priority changed
local function promote(task, priority, flow, arrived_at)
  local fresh = next_virtual_start(priority, flow, arrived_at)
  local old_priority, old_place = task.priority, task.virtual_start - order.headStartMs[task.priority]
  local fresh_place = fresh - order.headStartMs[priority]
  local place = math.min(fresh_place, old_place)
  local whose, mover = task.flow_caller or caller_of_request(space .. ':request:' .. task.first), (parts_of(flow))
  if whose ~= mover and order.intervalMs > 0 then
    keep_place(task, place < old_place and whose or mover, math.max(fresh_place, old_place))
  end
  if urgency[priority] < urgency[old_priority] then
    -- Its place in a class that it leaves, and whose that is: where change.lua puts it again.
    task.left = task.left or {}
    task.left['left:' .. old_priority] = string.format('%.0f:%s', task.virtual_start, whose)
  end
  if place < old_place then
    charge_flow(priority, flow, fresh, arrived_at)
    task.flow, task.flow_caller = flow, mover
  end
  if urgency[priority] < urgency[old_priority] then
    task.priority = priority
    if task.state == 'waiting' then
      add_waiting(old_priority, -1)
      add_waiting(priority, 1)
    end
  end
  task.is_raised = place < old_place or task.priority ~= old_priority
  local new_virtual_start = place + order.headStartMs[task.priority]
  local job_priority = math.min(task.job_priority, job_priority_of(task.priority, new_virtual_start))
  local has_moved = job_priority < task.job_priority
  task.is_changed = task.is_changed or task.priority ~= old_priority or new_virtual_start ~= task.virtual_start
  task.virtual_start, task.job_priority = new_virtual_start, job_priority
  return has_moved
end

-- Returns  the fields of a task that say where it stands and stood, with their values
local function place_of(task)
  local fields = { 'priority', task.priority, 'virtualStart', task.virtual_start, 'jobPriority', task.job_priority }
  for field, left in pairs(task.left or {}) do
    fields[#fields + 1], fields[#fields + 2] = field, left
  end
  if task.raised_by then
    fields[#fields + 1], fields[#fields + 2] = 'raisedBy', task.raised_by
    fields[#fields + 1], fields[#fields + 2] = 'raisedOn', task.raised_on or ''
  end
  for caller, place in pairs(task.own or {}) do
    fields[#fields + 1], fields[#fields + 2] = 'own:' .. caller, string.format('%.0f', place)
  end
  return unpack(fields)
end

-- A task is charged to the caller of its first request, unless it has another caller's place.
local function note_flow(task_key, task)
  if task.flow and order.intervalMs > 0 then
    redis.call('HSET', task_key, 'flowCaller', (parts_of(task.flow)))
    redis.call('HDEL', task_key, 'charged', 'deferredTo')
  end
end
