-- include now.lua
--
-- Where requests are found by status, machine and source, oldest to newest, for the scripts that add or move requests.
-- ARGV 1 of them is the key space. Members are ordered by their bytes, since every score is 0, and a request's id begins
-- with its time.
--
--   listed:<status>      <id>               every request
--   listed-by:machine    <machine>:<id>     all but the first request of an open task whose coalescing key is its machine:
--                                           `machines` leads to that, so a request which waits alone costs nothing here
--   listed-by:source     <source>\0<id>     requests with a source
--   ended                <id>:<status>:<machine>:<source> -> time (ms) at which the request itself goes
--
-- A new request is entered by accept.lua, with all others of its chunk.
--
-- index_move(id, from, to)                             one that got another status and is open
-- index_end(id, from, to, machine, source, goes_at)    one that ended; '' for no source
-- forget_ended()                                       takes out requests that are gone, a bounded number; called with
--                                                      every end, so that they go as fast as they come
local index_listed = ARGV[1] .. ':listed:'
local index_machine, index_source, index_ended =
  ARGV[1] .. ':listed-by:machine', ARGV[1] .. ':listed-by:source', ARGV[1] .. ':ended'

local function index_move(id, from, to)
  redis.call('ZREM', index_listed .. from, id)
  redis.call('ZADD', index_listed .. to, 0, id)
end

local function index_end(id, from, to, machine, source, goes_at)
  index_move(id, from, to)
  redis.call('ZADD', index_machine, 0, machine .. ':' .. id)
  redis.call('ZADD', index_ended, string.format('%.0f', goes_at), table.concat({ id, to, machine, source }, ':'))
end

local function forget_ended()
  local gone = redis.call('ZRANGE', index_ended, '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, 4)
  for _, member in ipairs(gone) do
    local id, status, machine, source = string.match(member, '^(.-):(.-):(.-):(.*)$')
    redis.call('ZREM', index_listed .. status, id)
    redis.call('ZREM', index_machine, machine .. ':' .. id)
    if source ~= '' then
      redis.call('ZREM', index_source, source .. '\0' .. id)
    end
    redis.call('ZREM', index_ended, member)
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

-- The source in what a caller asked, '' for none, and where it cannot be read: that must not keep it from ending.
local function source_in(doc)
  local is_json, asked = pcall(cjson.decode, doc)
  local source = is_json and type(asked) == 'table' and asked.source
  return type(source) == 'string' and source or ''
end
