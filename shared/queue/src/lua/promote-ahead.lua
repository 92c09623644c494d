-- include lib/task-place.lua
--
-- Moves tasks up behind which more urgent ones wait for their turn on a machine: each gets the class of the one behind it, and
-- the place there that a request of that one's flow would get. The ones behind are in other queues as a rule, so what is known of
-- them comes as arguments. The class grows and nothing is lowered: done again, it changes nothing.
--
-- KEYS  see lib/request-status.lua
-- ARGV  then for each task: 3 its coalescing key   4 class of the one behind   5 its flow (order.lua)   6 its virtual start, ms
--       7 the request for which that one has its place
--
-- Returns  for each that has a better place than its job: task id, job priority. Also for one that was moved up before, and its job
--          did not follow
-- Writes   'promoted' on the task, until its job has followed; 'raisedBy' and 'raisedOn'
local known_epoch, rules = unpack(redis.call('HMGET', order_key, 'epoch', 'rules'))
if not known_epoch or not rules then
  return {}
end
order, epoch = cjson.decode(rules), tonumber(known_epoch)

-- Returns  a task that waits, whether its job is still to follow; nil for none, and for one that is corrupt
local function waiting_task(key)
  local id = redis.call('HGET', machines_key, key)
  if not id or not redis.call('ZSCORE', waiting_key, id) then
    return nil
  end
  local state, first, priority, virtual_start, job_priority, flow_caller, is_promoted = unpack(redis.call('HMGET',
    space .. ':task:' .. id, 'state', 'first', 'priority', 'virtualStart', 'jobPriority', 'flowCaller', 'promoted'))
  virtual_start, job_priority = tonumber(virtual_start), tonumber(job_priority)
  if state ~= 'waiting' or not first or not urgency[priority] or not virtual_start or not job_priority then
    return nil
  end
  return { id = id, state = state, first = first, priority = priority, virtual_start = virtual_start, job_priority = job_priority,
    flow_caller = flow_caller or nil }, is_promoted
end

local moved, latest = {}, 0
for i = 3, #ARGV, 5 do
  local key, priority, flow, came_at, request_id = unpack(ARGV, i, i + 4)
  local task, is_promoted = waiting_task(key)
  if task and urgency[priority] < urgency[task.priority] then
    -- A virtual start can lie ahead of the present.
    local arrived_at = math.min(now, tonumber(came_at))
    promote(task, priority, flow, arrived_at)
    task.raised_by, task.raised_on, latest = request_id, 'machine', math.max(latest, arrived_at)
    local task_key = space .. ':task:' .. task.id
    redis.call('HSET', task_key, 'promoted', 1, place_of(task))
    note_flow(task_key, task)
    is_promoted = true
  end
  if task and is_promoted then
    moved[#moved + 1], moved[#moved + 2] = task.id, task.job_priority
  end
end
if latest > 0 then
  write_order(rules, latest)
end
return moved
