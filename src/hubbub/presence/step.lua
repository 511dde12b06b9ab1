-- One step of one node: renews its lease, applies its operations, takes out the people of dead nodes, and returns what
-- the node has not heard yet.
--
-- ARGV: namespace, node, lease in milliseconds, '1' if the node begins under this name, its operations (MessagePack):
--   {'enter', channel, user, info}   the node has a user in a channel; `info` is what is shown of them
--   {'exit', channel, user}          it has them there no longer
--   {'watch', channel}               it wants a picture of the channel, and then to hear what happens there
--   {'unwatch', channel}             it wants to hear no more of it
--   {'end', node}                    that was this node's name before it began again
-- Returns nil if the node's lease ran out: it must begin again, under another name. Otherwise three values:
--   1 if people of a dead node were taken out, and there may be more of them
--   if the node begins: a name for Redis' memory, which changes when Redis is emptied or restarted
--   packed lists (MessagePack) of what happened, in order:
--     {'joined', channel, user, info}      the user is on a node, and was on none
--     {'changed', channel, user, info}     something else is shown of the user
--     {'left', channel, user, info}        the user is on no node any more
--     {'picture', channel, count, people}  how many are there. `people` is a list of user, info, user, info, … in the
--                                          order of arrival: all of them, or the first ones of a large channel
--     {'watched', channel, count, people}  the same, as the answer to `watch`
--
-- Keys, after the namespace:
--   leases             sorted set: nodes, by the time at which their leases run out
--   dying              set: nodes whose leases ran out, until all their people are taken out
--   last_step          when any node took a step
--   memory             a part of the name for Redis' memory
--   arrivals           a counter
--   presences:NODE     set: channel .. '\0' .. user, for each user whom the node has
--   inbox:NODE         list: what the node has not heard yet
--   people:CHANNEL     hash: by user, the nodes that have them (with blanks between), '\n', info
--   order:CHANNEL      sorted set: users in the order in which they arrived
--   listed:CHANNEL     sorted set: the users of a large channel in the order of their names, each as
--                      name .. '\n' .. user. The people of others are few: whoever wants a list sorts them
--   channels           sorted set: the channels that have somebody, in the order of their names
--   watchers:CHANNEL   set: the nodes that watch it
--
-- A node never takes two steps at once. Times are Redis' own, in milliseconds.

local NAMED_UP_TO = 100 -- a channel with more people is large: they are counted, and not named one by one
local SHOWN_OF_LARGE = 20
local TAKEN_OUT_AT_ONCE = 500
local SILENCE = 3000

local call = redis.call
local namespace, this_node, lease, begins = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'

local LEASES, DYING = namespace .. 'leases', namespace .. 'dying'
local PRESENCES, INBOX = namespace .. 'presences:', namespace .. 'inbox:'
local OWN_PRESENCES = PRESENCES .. this_node
local PEOPLE, ORDER, WATCHERS = namespace .. 'people:', namespace .. 'order:', namespace .. 'watchers:'
local LISTED, CHANNELS = namespace .. 'listed:', namespace .. 'channels'

-- Leases.

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- If no node took a step for a while, Redis stood still, its clock jumped, or no node could reach it. Then no node
-- could renew its lease, so a lease that ran out does not show that its node is dead.
local last_step = tonumber(call('GET', namespace .. 'last_step') or now)
if now < last_step or now - last_step > SILENCE then
    for _, node in ipairs(call('ZRANGE', LEASES, 0, -1)) do
        call('ZADD', LEASES, now + lease, node)
    end
end
call('SET', namespace .. 'last_step', now)
if not begins and not call('ZSCORE', LEASES, this_node) then
    return false
end
call('ZADD', LEASES, now + lease, this_node)

-- Telling nodes. What is told in this step is kept here until its end.

local told = {}           -- by node, a list of what it is told
local watchers = {}       -- by channel, a cache of WATCHERS
local large_changed = {}  -- large channels in which somebody has arrived or left

local function tell(node, what)
    local list = told[node]
    if list then
        list[#list + 1] = what
    else
        told[node] = {what}
    end
end

local function tell_watchers(channel, what)
    local nodes = watchers[channel]
    if not nodes then
        nodes = call('SMEMBERS', WATCHERS .. channel)
        watchers[channel] = nodes
    end
    for _, node in ipairs(nodes) do
        tell(node, what)
    end
end

-- The nodes and the info of an entry in PEOPLE.
local function parse(entry)
    local cut = string.find(entry, '\n', 1, true)
    return string.sub(entry, 1, cut - 1), string.sub(entry, cut + 1)
end

local function picture(kind, channel)
    local count = call('ZCARD', ORDER .. channel)
    local shown = count > NAMED_UP_TO and SHOWN_OF_LARGE or count
    local people = {}
    if shown > 0 then
        local users = call('ZRANGE', ORDER .. channel, 0, shown - 1)
        for index, entry in ipairs(call('HMGET', PEOPLE .. channel, unpack(users))) do
            local _, info = parse(entry)
            people[2 * index - 1] = users[index]
            people[2 * index] = info
        end
    end
    return {kind, channel, count, people}
end

-- People.

-- The same as place_of in crowd.py. In Redis `lower` changes ASCII letters only.
local function place_of(user, info)
    return string.lower(cjson.decode(info)[2]) .. '\n' .. user
end

-- A channel has become large.
local function list_all(channel)
    local entries = call('HGETALL', PEOPLE .. channel)
    local places = {}
    for index = 1, #entries, 2 do
        local _, info = parse(entries[index + 1])
        places[index] = 0
        places[index + 1] = place_of(entries[index], info)
    end
    call('ZADD', LISTED .. channel, unpack(places))
end

local function arrive(channel, user, info)
    local order = ORDER .. channel
    call('HSET', PEOPLE .. channel, user, this_node .. '\n' .. info)
    call('SADD', OWN_PRESENCES, channel .. '\0' .. user)
    call('ZADD', order, call('INCR', namespace .. 'arrivals'), user)
    local count = call('ZCARD', order)
    if count == 1 then
        call('ZADD', CHANNELS, 0, channel)
    end
    if count > NAMED_UP_TO then
        if count == NAMED_UP_TO + 1 then
            list_all(channel)
        else
            call('ZADD', LISTED .. channel, 0, place_of(user, info))
        end
        large_changed[channel] = true
    else
        tell_watchers(channel, {'joined', channel, user, info})
    end
end

local function enter(channel, user, info)
    local people = PEOPLE .. channel
    local entry = call('HGET', people, user)
    if not entry then
        arrive(channel, user, info)
        return
    end
    local nodes, known_info = parse(entry)
    if not string.find(' ' .. nodes .. ' ', ' ' .. this_node .. ' ', 1, true) then
        nodes = nodes .. ' ' .. this_node
        call('SADD', OWN_PRESENCES, channel .. '\0' .. user)
    elseif info == known_info then
        return
    end
    call('HSET', people, user, nodes .. '\n' .. info)
    if info ~= known_info then
        if call('ZREM', LISTED .. channel, place_of(user, known_info)) == 1 then
            call('ZADD', LISTED .. channel, 0, place_of(user, info))
        end
        tell_watchers(channel, {'changed', channel, user, info})
    end
end

local function leave(channel, user, info)
    local order = ORDER .. channel
    call('HDEL', PEOPLE .. channel, user)
    call('ZREM', order, user)
    local count = call('ZCARD', order)
    if count == 0 then
        call('ZREM', CHANNELS, channel)
    end
    if count > NAMED_UP_TO then
        call('ZREM', LISTED .. channel, place_of(user, info))
        large_changed[channel] = true
    elseif count == NAMED_UP_TO then
        -- It is no longer large: the nodes get to know all its people again.
        call('DEL', LISTED .. channel)
        large_changed[channel] = nil
        tell_watchers(channel, picture('picture', channel))
    else
        tell_watchers(channel, {'left', channel, user, info})
    end
end

local function exit(channel, user, leaving_node)
    local people = PEOPLE .. channel
    local entry = call('HGET', people, user)
    if not entry then
        return
    end
    local nodes, info = parse(entry)
    if nodes == leaving_node then
        leave(channel, user, info)
        return
    end
    local others, was_there = {}, false
    for node in string.gmatch(nodes, '%S+') do
        if node == leaving_node then
            was_there = true
        else
            others[#others + 1] = node
        end
    end
    if was_there then
        call('HSET', people, user, table.concat(others, ' ') .. '\n' .. info)
    end
end

-- Dead nodes.

local function take_people_out(node)
    for _, presence in ipairs(call('SPOP', PRESENCES .. node, TAKEN_OUT_AT_ONCE)) do
        local cut = string.find(presence, '\0', 1, true)
        local channel, user = string.sub(presence, 1, cut - 1), string.sub(presence, cut + 1)
        if call('SREM', WATCHERS .. channel, node) == 1 then
            watchers[channel] = nil
        end
        exit(channel, user, node)
    end
    if call('EXISTS', PRESENCES .. node) == 0 then
        call('SREM', DYING, node)
        call('DEL', INBOX .. node)
    end
end

-- The step.

for _, operation in ipairs(cmsgpack.unpack(ARGV[5])) do
    local name, channel, user, info = unpack(operation)
    if name == 'enter' then
        enter(channel, user, info)
    elseif name == 'exit' then
        call('SREM', OWN_PRESENCES, channel .. '\0' .. user)
        exit(channel, user, this_node)
    elseif name == 'watch' then
        call('SADD', WATCHERS .. channel, this_node)
        watchers[channel] = nil
        tell(this_node, picture('watched', channel))
    elseif name == 'unwatch' then
        call('SREM', WATCHERS .. channel, this_node)
        watchers[channel] = nil
    elseif name == 'end' then
        local former = operation[2]
        if call('ZREM', LEASES, former) == 1 then
            call('SADD', DYING, former)
        end
    end
end

local dead = call('ZRANGEBYSCORE', LEASES, '-inf', '(' .. now, 'LIMIT', 0, 1)[1]
if dead then
    call('ZREM', LEASES, dead)
    call('SADD', DYING, dead)
end
local dying = call('SRANDMEMBER', DYING)
if dying then
    take_people_out(dying)
end

for channel in pairs(large_changed) do
    tell_watchers(channel, picture('picture', channel))
end

-- This node is given what it is told in this step. Others find it in their inboxes.
local unheard = call('LRANGE', INBOX .. this_node, 0, -1)
if #unheard > 0 then
    call('DEL', INBOX .. this_node)
end
if told[this_node] then
    unheard[#unheard + 1] = cmsgpack.pack(told[this_node])
    told[this_node] = nil
end
for node, list in pairs(told) do
    call('RPUSH', INBOX .. node, cmsgpack.pack(list))
end

local memory = ''
if begins then
    call('SET', namespace .. 'memory', this_node .. now, 'NX')
    memory = string.match(call('INFO', 'server'), 'run_id:(%w+)') .. call('GET', namespace .. 'memory')
end
return {dying and 1 or 0, memory, unheard}
