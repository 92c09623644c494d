-- include detach.lua
--
-- The order of the tasks, for the scripts that give a task its place.
--
-- A task has a class (`priority`) and a virtual start, a time in ms. Its job priority, the number by which BullMQ sorts, is
-- the virtual start less the class's head start, in steps since an epoch; the lowest goes first, and within one job priority
-- the first that came.
--
-- Without fair queueing the virtual start is the arrival. With it (start-time fair queueing, callers first and sources within
-- each) it is the greatest of
--   the virtual time of the class: the greatest virtual start of a task begun so far, where that is not ahead of the present by
--   a gap that cancelled tasks left (class-progress.lua); the arrival while nothing of it waits
--   the arrival less a lag. It bounds for how long ever new callers can go before one that waits, and keeps a newcomer
--   behind those of the next class that arrive with it
--   the caller's next start: one interval after the virtual start of its last task that was claimed
--   the source's next start: an interval after its last virtual start, and one more for each other source of its caller that
--   has placed something behind that; a new source's, behind one of each that has placed something
-- What a caller has placed stays where it is when it names a further source, so that two of its tasks can have the
-- same start. Only one of them is claimed with it: charge-flow.lua.
--
-- A flow is given as <caller>\0<source>, '' where no source is named.
--
-- order                     hash: epoch; rules, the last JSON of them; virtualTime:<class>; waiting:<class> tasks of it
--                           that wait
-- starts:<class>            sorted set: caller -> virtual start at which its next task is claimed at the earliest
-- starts:<class>:<caller>   sorted set: source -> virtual start that its next task gets at the earliest
-- Both are empty while nothing of the class waits.
local priorities = { 'critical', 'high', 'medium', 'low' }
local urgency = { critical = 1, high = 2, medium = 3, low = 4 }
local highest_job_priority = 2097151
local day = 24 * 3600000

-- The rules, and where the scale of the job priorities begins; whether it begins anew, which is not written.
local order, epoch, is_new_epoch

-- By class what a script has read and not yet written: some hundred requests ask for little more than the first. A
-- script that gives places calls `write_order` once at its end; until then nothing is written.
--   waiting, virtual_time   as they are by now
--   added                   to `waiting`
--   is_new                  what Redis has of its starts is over
--   callers                 those that were asked for, each with
--     floor                 no virtual start that it gets is less
--     last                  the greatest next start of its sources
--     starts                next starts of its sources that were asked for
--     charged, charges      sources that were charged, and how often any was
--     old, new              next starts that were used up, and those that took their places; ascending
local classes = {}

local function class_of(priority)
  local class = classes[priority]
  if not class then
    local waiting, virtual_time
    if not is_new_epoch then
      waiting, virtual_time = unpack(redis.call('HMGET', order_key, 'waiting:' .. priority, 'virtualTime:' .. priority))
    end
    class = { waiting = tonumber(waiting) or 0, virtual_time = tonumber(virtual_time), callers = {}, added = 0 }
    classes[priority] = class
  end
  return class
end

local function add_waiting(priority, by)
  local class = class_of(priority)
  class.waiting, class.added = class.waiting + by, class.added + by
end

-- Reads the rules, JSON of `OrderRules` in order.ts, for requests that arrive at this time. The scale of the job
-- priorities begins anew whenever nothing is open, so that it never ends for a queue that is empty now and then.
--
-- Returns  whether a request that arrives now has a place on the scale
local function open_order(json, arrived_at)
  order, epoch = cjson.decode(json), tonumber((redis.call('HGET', order_key, 'epoch')))
  is_new_epoch = not epoch or (redis.call('ZCARD', waiting_key) == 0 and redis.call('ZCARD', in_flight_key) == 0
    and redis.call('ZCARD', reconciling_key) == 0)
  if is_new_epoch then
    epoch = arrived_at - order.headStartMs.critical - order.maxLagMs - day
  end
  return (arrived_at - epoch) / order.stepMs <= highest_job_priority
end

-- What is not written, JSON: for the next of several scripts that write nothing.
local function order_so_far()
  return cjson.encode({ epoch = epoch, isNew = is_new_epoch, classes = classes })
end

-- Goes on from there instead of from what Redis has.
local function continue_order(json, so_far)
  local known = cjson.decode(so_far)
  order, epoch, is_new_epoch, classes = cjson.decode(json), known.epoch, known.isNew, known.classes
end

local function job_priority_of(priority, virtual_start)
  local job_priority = math.floor((virtual_start - order.headStartMs[priority] - epoch) / order.stepMs)
  return math.max(1, math.min(highest_job_priority, job_priority))
end

-- How far behind its arrival a virtual start of this class may lie.
local function lag_of(priority)
  local more_urgent = priorities[urgency[priority] - 1]
  if not more_urgent then
    return order.maxLagMs
  end
  local gap = order.headStartMs[more_urgent] - order.headStartMs[priority] - order.stepMs
  return math.max(0, math.min(order.maxLagMs, gap))
end

local function starts_key_of(priority, caller)
  return space .. ':starts:' .. priority .. (caller and ':' .. caller or '')
end

-- Once nothing of a class waits, no flow owes anything.
local function begin_anew(priority, arrived_at)
  local class = class_of(priority)
  class.virtual_time, class.callers, class.is_new = arrived_at, {}, true
end

-- Returns  caller and source
local function parts_of(flow)
  local at = string.find(flow, '\0', 1, true) or #flow + 1
  return string.sub(flow, 1, at - 1), string.sub(flow, at + 1)
end

-- What is known of a flow's caller in this class, and the flow's source.
local function caller_of(priority, flow, arrived_at)
  local name, source = parts_of(flow)
  local class = class_of(priority)
  local caller = class.callers[name]
  if not caller then
    local next_start = not class.is_new and redis.call('ZSCORE', starts_key_of(priority), name)
    local last = not class.is_new and redis.call('ZRANGE', starts_key_of(priority, name), 0, 0, 'REV', 'WITHSCORES')[2]
    caller = { starts = {}, charged = {}, charges = 0, old = {}, new = {}, last = tonumber(last or 0),
      floor = math.max(class.virtual_time or arrived_at, arrived_at - lag_of(priority), tonumber(next_start or 0)) }
    class.callers[name] = caller
  end
  if not caller.starts[source] then
    local next_start = not class.is_new and redis.call('ZSCORE', starts_key_of(priority, name), source)
    caller.starts[source] = tonumber(next_start or 0)
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

-- How many sources of a caller have a later next start than this. Redis is asked only where it is not the last.
local function count_behind(priority, flow, caller, next_start)
  if next_start >= caller.last then
    return 0
  end
  local stored = classes[priority].is_new and 0
    or redis.call('ZCOUNT', starts_key_of(priority, (parts_of(flow))), '(' .. string.format('%.0f', next_start), '+inf')
  local function behind(list)
    return #list + 1 - place_behind(list, next_start)
  end
  return stored - behind(caller.old) + behind(caller.new)
end

-- The virtual start that a task of this class and flow would get.
local function next_virtual_start(priority, flow, arrived_at)
  if order.intervalMs == 0 then
    return arrived_at
  end
  if class_of(priority).waiting <= 0 then
    begin_anew(priority, arrived_at)
  end
  local caller, source = caller_of(priority, flow, arrived_at)
  local next_start = caller.starts[source]
  if next_start > caller.floor then
    return next_start + count_behind(priority, flow, caller, next_start) * order.intervalMs
  end
  local others = count_behind(priority, flow, caller, caller.floor)
  -- A step before what the others have placed at the same start: they have had theirs.
  return others == 0 and caller.floor or caller.floor + others * order.intervalMs - order.stepMs
end

-- Moves a flow's next start behind this virtual start.
local function charge_flow(priority, flow, virtual_start, arrived_at)
  if order.intervalMs == 0 then
    return
  end
  local caller, source = caller_of(priority, flow, arrived_at)
  local present, fresh = caller.starts[source], virtual_start + order.intervalMs
  if caller.charged[source] then
    table.remove(caller.new, place_behind(caller.new, present) - 1)
  elseif present > 0 then
    table.insert(caller.old, place_behind(caller.old, present), present)
  end
  table.insert(caller.new, place_behind(caller.new, fresh), fresh)
  caller.starts[source], caller.last = fresh, math.max(caller.last, fresh)
  caller.charged[source], caller.charges = true, caller.charges + 1
end

-- Writes the next starts of one caller. Those that no longer count go, a few for each that was used up.
local function write_starts(priority, name, caller, arrived_at)
  local key, starts = starts_key_of(priority, name), {}
  for source in pairs(caller.charged) do
    starts[#starts + 1], starts[#starts + 2] = caller.starts[source], source
  end
  redis.call('ZADD', key, unpack(starts))
  redis.call('ZADD', starts_key_of(priority), 'NX', 0, name)
  local passed = redis.call('ZCOUNT', key, '-inf', arrived_at - order.maxLagMs)
  if passed > 0 then
    redis.call('ZREMRANGEBYRANK', key, 0, math.min(4 * caller.charges, passed) - 1)
  end
end

-- Writes the order. What could take memory comes first: a full Redis refuses the whole script with that.
local function write_order(json, arrived_at)
  redis.call('HSET', order_key, 'epoch', epoch, 'rules', json)
  if is_new_epoch then
    redis.call('DEL', order_key)
    redis.call('HSET', order_key, 'epoch', epoch, 'rules', json)
  end
  for priority, class in pairs(classes) do
    if class.is_new then
      for _, caller in ipairs(redis.call('ZRANGE', starts_key_of(priority), 0, -1)) do
        redis.call('DEL', starts_key_of(priority, caller))
      end
      redis.call('DEL', starts_key_of(priority))
      redis.call('HSET', order_key, 'virtualTime:' .. priority, class.virtual_time)
    end
    if class.added ~= 0 then
      redis.call('HINCRBY', order_key, 'waiting:' .. priority, class.added)
    end
    for name, caller in pairs(class.callers) do
      if caller.charges > 0 then
        write_starts(priority, name, caller, arrived_at)
      end
    end
  end
end
