-- include now.lua
--
-- Where requests are found by status, machine, source and correlation, oldest to newest, for the scripts that add or move
-- requests. ARGV 1 of them is the key space. Members are ordered by their bytes, since every score is 0, and a request's id
-- begins with its time.
--
--   listed:<status>      <id>               every request
--   listed-by:machine    <machine>:<id>     all but the first request of an open task whose coalescing key is its machine:
--                                           `machines` leads to that, so a request which waits alone costs nothing here
--   listed-by:source     <source>\0<id>     requests with a source
--   listed-by:correlation   <digest><id>    once for each pair of its correlation, 20 at most: a pair is found by its digest,
--                                           so that an entry is short, however long key and value are
--   listed-by:outcome    <outcome>:<id>     requests whose result is followed, or was; see results.lua
--   ended                <id>:<status>:<machine>:<source>, of a request with a correlation <machine>+<digests> -> time (ms)
--                        at which the request itself goes
--
-- A new request is entered by accept.lua, with all others of its chunk.
--
-- found_by(doc)                      machine, source and digests of what a caller asked: `found` for the next ones
-- index_move(id, from, to)           one that got another status and is open
-- index_end(id, from, to, found, goes_at)   one that ended
-- index_forget(id, status, found)    one that is gone or about to go
-- forget_ended()                     takes out requests that are gone, a bounded number; called with every end, so that they
--                                    go as fast as they come
local index_listed = ARGV[1] .. ':listed:'
local index_machine, index_source, index_correlation, index_ended = ARGV[1] .. ':listed-by:machine',
  ARGV[1] .. ':listed-by:source', ARGV[1] .. ':listed-by:correlation', ARGV[1] .. ':ended'
local index_outcome = ARGV[1] .. ':listed-by:outcome'
-- The same as in correlation-digest.ts.
local digest_size = 16

local function index_move(id, from, to)
  redis.call('ZREM', index_listed .. from, id)
  redis.call('ZADD', index_listed .. to, 0, id)
end

-- Calls `act` with the member of each pair of a correlation.
local function for_each_pair(id, digests, act)
  for from = 1, #digests, digest_size do
    act(string.sub(digests, from, from + digest_size - 1) .. id)
  end
end

local function ended_member(id, status, found)
  local machine = found.machine .. (found.digests ~= '' and '+' .. found.digests or '')
  return table.concat({ id, status, machine, found.source }, ':')
end

-- Returns  id, status and `found` of a member of `ended`
local function parse_ended(member)
  local id, status, machine, digests, source = string.match(member, '^(.-):(.-):([^:+]*)%+?(%x*):(.*)$')
  return id, status, { machine = machine, source = source, digests = digests }
end

local function index_end(id, from, to, found, goes_at)
  index_move(id, from, to)
  redis.call('ZADD', index_machine, 0, found.machine .. ':' .. id)
  redis.call('ZADD', index_ended, string.format('%.0f', goes_at), ended_member(id, to, found))
end

local function index_forget(id, status, found)
  redis.call('ZREM', index_listed .. status, id)
  redis.call('ZREM', index_machine, found.machine .. ':' .. id)
  if found.source ~= '' then
    redis.call('ZREM', index_source, found.source .. '\0' .. id)
  end
  for_each_pair(id, found.digests, function(member)
    redis.call('ZREM', index_correlation, member)
  end)
  if status == 'started' then
    redis.call('ZREM', index_outcome, 'running:' .. id, 'succeeded:' .. id, 'failed:' .. id, 'cancelled:' .. id, 'unknown:' .. id)
  end
  redis.call('ZREM', index_ended, ended_member(id, status, found))
end

local function forget_ended()
  local gone = redis.call('ZRANGE', index_ended, '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, 4)
  for _, member in ipairs(gone) do
    index_forget(parse_ended(member))
  end
end

-- What a caller asked, JSON, stands in its request in parts of at most 64 bytes, up to eight of them: Redis keeps a hash of
-- short fields in a third of the space. What is longer than that stands in one. A part ends where a character does.
local doc_parts = { 'doc', 'doc1', 'doc2', 'doc3', 'doc4', 'doc5', 'doc6', 'doc7' }
local part_size = 64

-- Appends the fields of a doc and their values to a list.
local function add_doc(list, doc)
  if #doc > (part_size - 3) * #doc_parts then
    list[#list + 1], list[#list + 2] = 'doc', doc
    return
  end
  local from, part = 1, 1
  repeat
    local to = math.min(from + part_size - 1, #doc)
    local behind = string.byte(doc, to + 1)
    while behind and behind >= 0x80 and behind < 0xC0 and to > from do
      behind = string.byte(doc, to)
      to = to - 1
    end
    list[#list + 1], list[#list + 2] = doc_parts[part], string.sub(doc, from, to)
    from, part = to + 1, part + 1
  until from > #doc
end

-- Who asked for a request, in one part, or two where the name is longer; nothing for ''. It never changes.
local function add_caller(list, caller)
  if caller ~= '' then
    list[#list + 1], list[#list + 2] = 'caller', string.sub(caller, 1, part_size)
  end
  if #caller > part_size then
    list[#list + 1], list[#list + 2] = 'caller1', string.sub(caller, part_size + 1)
  end
end

-- Returns  the doc of a request, false where there is none
local function doc_of(request_key)
  local parts = redis.call('HMGET', request_key, unpack(doc_parts))
  local found = {}
  for i = 1, #doc_parts do
    if not parts[i] then
      break
    end
    found[i] = parts[i]
  end
  return found[1] and table.concat(found) or false
end

local function text_in(fields, name)
  return type(fields[name]) == 'string' and fields[name] or ''
end

-- The digests of a correlation, one behind the other in their order.
local function digests_of(correlation)
  local digests = {}
  for key, value in pairs(type(correlation) == 'table' and correlation or {}) do
    digests[#digests + 1] = string.sub(redis.sha1hex(tostring(key) .. '\0' .. tostring(value)), 1, digest_size)
  end
  table.sort(digests)
  return table.concat(digests)
end

-- What a request is found by, out of what its caller asked; '' for what there is not, and where it cannot be read: that must
-- not keep it from ending.
--
-- Returns  machine, source and digests; and its coalescing key
local function found_by(doc)
  local is_json, asked = pcall(cjson.decode, doc)
  asked = is_json and type(asked) == 'table' and asked or {}
  local machine = text_in(asked, 'machineId')
  return { machine = machine, source = text_in(asked, 'source'), digests = digests_of(asked.correlation) },
    type(asked.key) == 'string' and asked.key or machine
end
