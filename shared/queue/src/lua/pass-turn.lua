-- Sees to it that the job that is claimed next has the turn of its caller. What a caller's sources have placed at the
-- same turn, or before it, steps back to the next one, in its order: a caller gets one turn for each interval, however many
-- sources it names. To be run before a job is claimed.
--
-- Behind indexes.lua, detach.lua and order.lua.
-- KEYS  see detach.lua; 8 BullMQ's sorted set of jobs in the order
-- ARGV  3 jobs looked at, at most
--
-- Returns  tasks that step back, each followed by its new job priority: their jobs are to follow, and then it is asked
--          again. None when what is next may be claimed
-- Writes   tag, jobPriority, 'steppedTo' and 'promoted' of those that step back; of the one that may be claimed that it has used its caller's
--          turn, and when that has the next one. Asked again for the same it changes nothing
local job_order, most = KEYS[8], tonumber(ARGV[3])

local known_epoch, rules = unpack(redis.call('HMGET', order_key, 'epoch', 'rules'))
if not known_epoch or not rules then
  return {}
end
order, epoch = cjson.decode(rules), tonumber(known_epoch)
if order.intervalMs == 0 then
  return {}
end

-- Returns  its class, tag and caller, the tag that its caller's turn has, whether it has that turn; nil for one that is claimed as it stands:
--          by an operator's word, because it has its turn already, or because it is corrupt or has ended
local function read(task_id)
  local state, priority, tag, turn_of, first, head, has_passed, stepped_to = unpack(redis.call('HMGET',
    space .. ':task:' .. task_id, 'state', 'priority', 'tag', 'turnOf', 'first', 'head', 'passed', 'steppedTo'))
  tag = tonumber(tag)
  if state ~= 'waiting' or not first or not tag or not urgency[priority] or head or has_passed then
    return nil
  end
  local caller = turn_of or caller_of_request(space .. ':request:' .. first)
  local turn = tonumber(redis.call('ZSCORE', turns_key_of(priority), caller) or 0)
  return priority, tag, caller, turn, tonumber(stepped_to) == turn or tag >= turn - order.stepMs
end

local moved = {}
for _, task_id in ipairs(redis.call('ZRANGE', job_order, 0, most - 1)) do
  local priority, tag, caller, turn, has_turn = read(task_id)
  local task_key = space .. ':task:' .. task_id
  if not priority or has_turn then
    if priority and #moved == 0 then
      redis.call('ZADD', turns_key_of(priority), math.max(tag, turn) + order.intervalMs, caller)
      redis.call('HSET', task_key, 'passed', 1)
    end
    break
  end
  -- Before all that have this turn by their own tag: a source's are claimed in its order.
  tag = turn - 2 * order.stepMs
  local job_priority = job_priority_of(priority, tag)
  redis.call('HSET', task_key, 'tag', tag, 'jobPriority', job_priority, 'steppedTo', turn, 'promoted', 1)
  moved[#moved + 1], moved[#moved + 2] = task_id, job_priority
end
return moved
