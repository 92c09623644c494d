-- include lib/order.lua
--
-- Charges the caller of the job that is claimed next. What a caller's sources have placed before the caller's next start is
-- deferred to it, in its order: a caller gets one call for each interval, however many sources it names. To be run before a
-- job is claimed.
--
-- KEYS  see lib/request-status.lua; 8 BullMQ's sorted set of jobs in the order
-- ARGV  3 jobs looked at, at most
--
-- Returns  tasks that are deferred, each followed by its new job priority: their jobs are to follow, and then it is asked
--          again. None when what is next may be claimed
-- Writes   virtualStart, jobPriority, 'deferredTo' and 'promoted' of those that are deferred, or, where another caller has an earlier
--          place of its own (task-place.lua), that and 'flowCaller'; of the one that may be claimed
--          'charged', and the next start of its caller. Asked again for the same it changes nothing
local job_order, most = KEYS[8], tonumber(ARGV[3])

local known_epoch, rules = unpack(redis.call('HMGET', order_key, 'epoch', 'rules'))
if not known_epoch or not rules then
  return {}
end
order, epoch = cjson.decode(rules), tonumber(known_epoch)
if order.intervalMs == 0 then
  return {}
end

-- Returns  class, virtual start and caller of a task, its caller's next start, whether it may have that; nil for one that is
--          claimed as it stands: by an operator's word, because its caller is charged already, or because it is corrupt or
--          has ended
local function read(task_id)
  local state, priority, virtual_start, flow_caller, first, head, is_charged, deferred_to = unpack(redis.call('HMGET',
    space .. ':task:' .. task_id, 'state', 'priority', 'virtualStart', 'flowCaller', 'first', 'head', 'charged',
    'deferredTo'))
  virtual_start = tonumber(virtual_start)
  if state ~= 'waiting' or not first or not virtual_start or not urgency[priority] or head or is_charged then
    return nil
  end
  local caller = flow_caller or caller_of_request(space .. ':request:' .. first)
  local next_start = tonumber(redis.call('ZSCORE', starts_key_of(priority), caller) or 0)
  local may_start = tonumber(deferred_to) == next_start or virtual_start >= next_start - order.stepMs
  return priority, virtual_start, caller, next_start, may_start
end

-- The first of the places that other callers have by requests of their own which a task serves; nil for none before this one.
-- None of them is to wait for the next start of a caller that has joined them.
local function place_of_others(task_id, caller, before)
  local task_key, whose = space .. ':task:' .. task_id, nil
  if redis.call('ZCARD', task_key .. ':joined') == 0 then
    return nil
  end
  local first_caller = caller_of_request(space .. ':request:' .. redis.call('HGET', task_key, 'first'))
  for _, field in ipairs(redis.call('HKEYS', task_key)) do
    local other = string.match(field, '^own:(.*)$')
    if other and other ~= caller
      and (other == first_caller or redis.call('HEXISTS', task_key, joined_by(other)) == 1) then
      local place = tonumber(redis.call('HGET', task_key, field))
      if place and place < before then
        before, whose = place, other
      end
    end
  end
  return whose and before, whose
end

local moved = {}
for _, task_id in ipairs(redis.call('ZRANGE', job_order, 0, most - 1)) do
  local priority, virtual_start, caller, next_start, may_start = read(task_id)
  local task_key = space .. ':task:' .. task_id
  if not priority or may_start then
    if priority and #moved == 0 then
      local reached = math.max(class_of(priority).virtual_time or 0, next_start)
      redis.call('ZADD', starts_key_of(priority),
        math.max(reached_by(virtual_start, reached, order.intervalMs), next_start) + order.intervalMs, caller)
      redis.call('HSET', task_key, 'charged', 1)
    end
    break
  end
  -- Before all that have this start by their own right: a source's are claimed in its order.
  virtual_start = next_start - 2 * order.stepMs
  local deferred = virtual_start - order.headStartMs[priority]
  local place, whose = place_of_others(task_id, caller, deferred)
  if place then
    virtual_start = place + order.headStartMs[priority]
    redis.call('HSET', task_key, 'flowCaller', whose, 'own:' .. caller, string.format('%.0f', deferred))
    redis.call('HDEL', task_key, 'own:' .. whose, 'deferredTo')
  else
    redis.call('HSET', task_key, 'deferredTo', next_start)
  end
  local job_priority = job_priority_of(priority, virtual_start)
  redis.call('HSET', task_key, 'virtualStart', virtual_start, 'jobPriority', job_priority, 'promoted', 1)
  moved[#moved + 1], moved[#moved + 2] = task_id, job_priority
end
return moved
