-- Who goes before whom. It stands behind detach.lua, in front of the scripts that give a task its place.
--
-- A task has a class and a tag, a time in ms. Its job priority, BullMQ's priority number, is the tag less the class's head
-- start, in steps since an epoch; the lowest goes first, and within one job priority the first that came.
--
-- Without turns the tag is the arrival. With turns (start-time fair queueing, callers first and sources within each) it is
-- the greatest of
--   where the line of the class is: the greatest tag of a task begun so far; the arrival while nothing of it waits
--   the floor: the arrival less a lag. It bounds for how long ever new callers can go before one that waits, and keeps a
--   newcomer behind those of the next class that arrive with it
--   the caller's turn: one interval after the tag of its last task that was claimed
--   the source's turn: an interval after its last tag, and one more for each other source of its caller that has placed
--   something behind that; a new source's, behind one of each that has placed something
-- What a caller has placed stays where it is when it names a further source, so that two of its tasks can have the
-- same turn. Only one of them is claimed with it: pass-turn.lua.
--
-- Whose turn it is, a flow, is given as <caller>\0<source>, '' where no source is named.
--
-- order                    hash: epoch; rules, the last JSON of them; begun:<class> how far its line is; waiting:<class>
--                          tasks of it that wait
-- turns:<class>            sorted set: caller -> tag that its next task is claimed with at the earliest
-- turns:<class>:<caller>   sorted set: source -> tag that its next task gets at the earliest
-- Turns are empty while nothing of the class waits.
local priorities = { 'critical', 'high', 'medium', 'low' }
local urgency = { critical = 1, high = 2, medium = 3, low = 4 }
local highest_job_priority = 2097151
local day = 24 * 3600000

-- The rules, and where the scale of the job priorities begins; whether it begins anew, which is not written.
local order, epoch, is_new_epoch

-- By class what a script has read of its line and not yet written: some hundred requests ask for little more than the
-- first. A script that gives places calls `write_order` once at its end; until then nothing is written.
--   waiting, begun   as they are by now
--   added            to `waiting`
--   is_new           what Redis has of its turns is over
--   callers          those that were asked for, each with
--     floor          no tag that it gets is less
--     last           the greatest turn of its sources
--     turns          of its sources that were asked for
--     taken          sources that have used up a turn
--     takes          how many were used up
--     old, new       turns that were used up, and those that took their places; ascending
local lines = {}

local function line_of(priority)
  local line = lines[priority]
  if not line then
    local waiting, begun
    if not is_new_epoch then
      waiting, begun = unpack(redis.call('HMGET', order_key, 'waiting:' .. priority, 'begun:' .. priority))
    end
    line = { waiting = tonumber(waiting) or 0, begun = tonumber(begun), callers = {}, added = 0 }
    lines[priority] = line
  end
  return line
end

local function add_waiting(priority, by)
  local line = line_of(priority)
  line.waiting, line.added = line.waiting + by, line.added + by
end

-- Reads the rules, JSON of `OrderRules` in order.ts, for requests that arrive at this time. The scale of the job priorities begins
-- anew whenever nothing is open, so that it never ends for a queue that is empty now and then.
--
-- Returns  whether a request that arrives now has a place on the scale
local function open_order(json, arrived_at)
  order, epoch = cjson.decode(json), tonumber((redis.call('HGET', order_key, 'epoch')))
  is_new_epoch = not epoch or (redis.call('ZCARD', waiting_key) == 0 and redis.call('ZCARD', in_flight_key) == 0
    and redis.call('ZCARD', reconciling_key) == 0)
  if is_new_epoch then
    epoch = arrived_at - order.headStartMs.critical - order.longestLagMs - day
  end
  return (arrived_at - epoch) / order.stepMs <= highest_job_priority
end

-- What was given to whom and is not written, JSON: for the next of several scripts that write nothing.
local function order_so_far()
  return cjson.encode({ epoch = epoch, isNew = is_new_epoch, lines = lines })
end

-- Goes on from there instead of from what Redis has.
local function continue_order(json, so_far)
  local known = cjson.decode(so_far)
  order, epoch, is_new_epoch, lines = cjson.decode(json), known.epoch, known.isNew, known.lines
end

local function job_priority_of(priority, tag)
  local job_priority = math.floor((tag - order.headStartMs[priority] - epoch) / order.stepMs)
  return math.max(1, math.min(highest_job_priority, job_priority))
end

-- How far behind its arrival a tag of this class may lie.
local function lag_of(priority)
  local more_urgent = priorities[urgency[priority] - 1]
  if not more_urgent then
    return order.longestLagMs
  end
  local gap = order.headStartMs[more_urgent] - order.headStartMs[priority] - order.stepMs
  return math.max(0, math.min(order.longestLagMs, gap))
end

local function turns_key_of(priority, caller)
  return space .. ':turns:' .. priority .. (caller and ':' .. caller or '')
end

-- Who has been served owes nothing once nothing waits.
local function begin_anew(priority, arrived_at)
  local line = line_of(priority)
  line.begun, line.callers, line.is_new = arrived_at, {}, true
end

-- Returns  caller and source
local function parts_of(flow)
  local at = string.find(flow, '\0', 1, true) or #flow + 1
  return string.sub(flow, 1, at - 1), string.sub(flow, at + 1)
end

-- What is known of a flow's caller in this line, and the flow's source.
local function caller_of(priority, flow, arrived_at)
  local name, source = parts_of(flow)
  local line = line_of(priority)
  local caller = line.callers[name]
  if not caller then
    local turn = not line.is_new and redis.call('ZSCORE', turns_key_of(priority), name)
    local last = not line.is_new and redis.call('ZRANGE', turns_key_of(priority, name), 0, 0, 'REV', 'WITHSCORES')[2]
    caller = { turns = {}, taken = {}, takes = 0, old = {}, new = {}, last = tonumber(last or 0),
      floor = math.max(line.begun or arrived_at, arrived_at - lag_of(priority), tonumber(turn or 0)) }
    line.callers[name] = caller
  end
  if not caller.turns[source] then
    local turn = not line.is_new and redis.call('ZSCORE', turns_key_of(priority, name), source)
    caller.turns[source] = tonumber(turn or 0)
  end
  return caller, source
end

-- Where the first number of an ascending list stands that is greater than this one.
local function place_behind(list, number)
  local low, high = 1, #list + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if list[middle] > number then
      high = middle
    else
      low = middle + 1
    end
  end
  return low
end

-- How many sources of a caller have a turn behind this one. Only where it is not the last, anything is asked for it.
local function count_behind(priority, flow, caller, turn)
  if turn >= caller.last then
    return 0
  end
  local stored = lines[priority].is_new and 0
    or redis.call('ZCOUNT', turns_key_of(priority, (parts_of(flow))), '(' .. string.format('%.0f', turn), '+inf')
  local function behind(list)
    return #list + 1 - place_behind(list, turn)
  end
  return stored - behind(caller.old) + behind(caller.new)
end

-- Where a task of this class and flow would stand in its line.
local function next_tag(priority, flow, arrived_at)
  if order.intervalMs == 0 then
    return arrived_at
  end
  if line_of(priority).waiting <= 0 then
    begin_anew(priority, arrived_at)
  end
  local caller, source = caller_of(priority, flow, arrived_at)
  local turn = caller.turns[source]
  if turn > caller.floor then
    return turn + count_behind(priority, flow, caller, turn) * order.intervalMs
  end
  local others = count_behind(priority, flow, caller, caller.floor)
  -- A step before what the others have placed at the same turn: they have had theirs.
  return others == 0 and caller.floor or caller.floor + others * order.intervalMs - order.stepMs
end

-- Uses up a turn.
local function take_turn(priority, flow, tag, arrived_at)
  if order.intervalMs == 0 then
    return
  end
  local caller, source = caller_of(priority, flow, arrived_at)
  local present, fresh = caller.turns[source], tag + order.intervalMs
  if caller.taken[source] then
    table.remove(caller.new, place_behind(caller.new, present) - 1)
  elseif present > 0 then
    table.insert(caller.old, place_behind(caller.old, present), present)
  end
  table.insert(caller.new, place_behind(caller.new, fresh), fresh)
  caller.turns[source], caller.last = fresh, math.max(caller.last, fresh)
  caller.taken[source], caller.takes = true, caller.takes + 1
end

-- Writes the turns of one caller. Those that the line has passed go, a few for each that was used up.
local function write_turns(priority, name, caller, arrived_at)
  local key, turns = turns_key_of(priority, name), {}
  for source in pairs(caller.taken) do
    turns[#turns + 1], turns[#turns + 2] = caller.turns[source], source
  end
  redis.call('ZADD', key, unpack(turns))
  redis.call('ZADD', turns_key_of(priority), 'NX', 0, name)
  local passed = redis.call('ZCOUNT', key, '-inf', arrived_at - order.longestLagMs)
  if passed > 0 then
    redis.call('ZREMRANGEBYRANK', key, 0, math.min(4 * caller.takes, passed) - 1)
  end
end

-- Writes what was given to whom. What could take memory comes first: a full Redis refuses the whole script with that.
local function write_order(json, arrived_at)
  redis.call('HSET', order_key, 'epoch', epoch, 'rules', json)
  if is_new_epoch then
    redis.call('DEL', order_key)
    redis.call('HSET', order_key, 'epoch', epoch, 'rules', json)
  end
  for priority, line in pairs(lines) do
    if line.is_new then
      for _, caller in ipairs(redis.call('ZRANGE', turns_key_of(priority), 0, -1)) do
        redis.call('DEL', turns_key_of(priority, caller))
      end
      redis.call('DEL', turns_key_of(priority))
      redis.call('HSET', order_key, 'begun:' .. priority, line.begun)
    end
    if line.added ~= 0 then
      redis.call('HINCRBY', order_key, 'waiting:' .. priority, line.added)
    end
    for name, caller in pairs(line.callers) do
      if caller.takes > 0 then
        write_turns(priority, name, caller, arrived_at)
      end
    end
  end
end

-- Moves a task up to where a fresh one of this class and flow would stand, if that is before its place, and makes
-- it of this class if that is the more urgent one. It never moves back.
--
-- task     what the script has read of it: state, class, tag, job priority. They are changed here, `flow` is set where its place is
--          another flow's now, and `is_changed` where there is something to write
-- Returns  whether its job priority changed
local function promote(task, priority, flow, arrived_at)
  local fresh = next_tag(priority, flow, arrived_at)
  local old_priority, old_place = task.priority, task.tag - order.headStartMs[task.priority]
  local place = math.min(fresh - order.headStartMs[priority], old_place)
  if place < old_place then
    take_turn(priority, flow, fresh, arrived_at)
    task.flow = flow
  end
  if urgency[priority] < urgency[old_priority] then
    task.priority = priority
    if task.state == 'waiting' then
      add_waiting(old_priority, -1)
      add_waiting(priority, 1)
    end
  end
  local new_tag = place + order.headStartMs[task.priority]
  local job_priority = math.min(task.job_priority, job_priority_of(task.priority, new_tag))
  local has_moved = job_priority < task.job_priority
  task.is_changed = task.is_changed or task.priority ~= old_priority or new_tag ~= task.tag
  task.tag, task.job_priority = new_tag, job_priority
  return has_moved
end

-- Returns  the fields of a task that say where it stands, with their values
local function place_of(task)
  return 'priority', task.priority, 'tag', task.tag, 'jobPriority', task.job_priority
end

-- A task uses the turns of whoever asked for its first request, unless it has another caller's place.
local function note_whose_turn(task_key, task)
  if task.flow and order.intervalMs > 0 then
    redis.call('HSET', task_key, 'turnOf', (parts_of(task.flow)))
    redis.call('HDEL', task_key, 'passed', 'steppedTo')
  end
end
