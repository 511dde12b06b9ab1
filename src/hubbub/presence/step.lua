-- One step of one node: renews its lease, does what it says, ends nodes that are dead, and gives what it has to hear.
--
-- ARGV: namespace, node, lease in milliseconds, '1' if the node begins here, its operations (MessagePack):
--   {'e', channel, user, info}   the node has a user in a channel
--   {'x', channel, user}         it has them there no longer
--   {'l', channel}               it wants to hear of the channel, and whom all nodes have there
--   {'f', channel}               it wants to hear of it no longer
--   {'r', node}                  that one is no more: it was this node, before it began again
-- Gives nil if the node's lease ran out (it has to begin again). Otherwise it gives whether there was a dead node to take
-- out, a name for what Redis knows now (another one after it was emptied or started) if the node begins, and what
-- happened, in order, as lists (MessagePack) of
--   {'a', channel, {user, info, ...}}         whom all nodes have, the first who came first
--   {'m', channel, count, {user, info, ...}}  how many there are, if they are many, and the first of them
--   {'j' | 'u' | 'l', channel, user, info}    the first node has them; they are shown in another way; no node has them
-- In capitals: 'A' and 'M' are what {'l', channel} has asked for.
--
-- Keys, after the namespace:
--   leases           nodes by the time at which their leases run out
--   dying            nodes whose leases ran out, while their people are taken out
--   last             when any node called last
--   life             a name that lasts until Redis is emptied
--   arrivals         a counter
--   had:NODE         set of whom a node has: channel .. '\0' .. user
--   heard:NODE       list of what a node has not heard yet
--   people:CHANNEL   hash by user: the nodes that have them, '\n', info
--   order:CHANNEL    users in the order in which they came
--   nodes:CHANNEL    set of the nodes that want to hear of it
--
-- Each node has no more than one step on its way. Time is Redis' own.

local NAMED_UP_TO, SHOWN_OF_MANY, TAKEN_OUT, QUIET = 100, 20, 500, 3000

local call, pack, unpack_ = redis.call, cmsgpack.pack, cmsgpack.unpack
local namespace, me, lease, begins = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'
local leases, dying = namespace .. 'leases', namespace .. 'dying'
local people_of, order_of, nodes_of = namespace .. 'people:', namespace .. 'order:', namespace .. 'nodes:'
local mine = namespace .. 'had:' .. me

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Nobody called for a while: Redis stood still, its clock jumped, or nobody reached it. Nobody could renew a lease, so
-- none of them says anything about its node.
local last = tonumber(call('GET', namespace .. 'last') or now)
if now < last or now - last > QUIET then
    for _, node in ipairs(call('ZRANGE', leases, 0, -1)) do
        call('ZADD', leases, now + lease, node)
    end
end
call('SET', namespace .. 'last', now)
if not begins and not call('ZSCORE', leases, me) then
    return false
end
call('ZADD', leases, now + lease, me)

local interested, outgoing, many = {}, {}, {}

local function tell(node, what)
    local list = outgoing[node]
    if list then
        list[#list + 1] = what
    else
        outgoing[node] = {what}
    end
end

local function tell_all(channel, what)
    local nodes = interested[channel]
    if not nodes then
        nodes = call('SMEMBERS', nodes_of .. channel)
        interested[channel] = nodes
    end
    for _, node in ipairs(nodes) do
        tell(node, what)
    end
end

local function info_of(entry)
    return string.sub(entry, string.find(entry, '\n', 1, true) + 1)
end

local function shown(channel, count)
    local users, listed = call('ZRANGE', order_of .. channel, 0, count - 1), {}
    if #users > 0 then
        for index, entry in ipairs(call('HMGET', people_of .. channel, unpack(users))) do
            listed[2 * index - 1] = users[index]
            listed[2 * index] = info_of(entry)
        end
    end
    return listed
end

local function picture(channel)
    local count = call('ZCARD', order_of .. channel)
    if count > NAMED_UP_TO then
        return {'m', channel, count, shown(channel, SHOWN_OF_MANY)}
    end
    return {'a', channel, shown(channel, count)}
end

local function enter(channel, user, info)
    local people = people_of .. channel
    local entry = call('HGET', people, user)
    if not entry then
        call('HSET', people, user, me .. '\n' .. info)
        call('SADD', mine, channel .. '\0' .. user)
        local order = order_of .. channel
        call('ZADD', order, call('INCR', namespace .. 'arrivals'), user)
        if call('ZCARD', order) > NAMED_UP_TO then
            many[channel] = true
        else
            tell_all(channel, {'j', channel, user, info})
        end
        return
    end
    local cut = string.find(entry, '\n', 1, true)
    local nodes, known = string.sub(entry, 1, cut - 1), string.sub(entry, cut + 1)
    if not string.find(' ' .. nodes .. ' ', ' ' .. me .. ' ', 1, true) then
        nodes = nodes .. ' ' .. me
        call('SADD', mine, channel .. '\0' .. user)
    elseif known == info then
        return
    end
    call('HSET', people, user, nodes .. '\n' .. info)
    if known ~= info then
        tell_all(channel, {'u', channel, user, info})
    end
end

local function exit(channel, user, leaver)
    local people = people_of .. channel
    local entry = call('HGET', people, user)
    if not entry then
        return
    end
    local cut = string.find(entry, '\n', 1, true)
    local others, was_there = {}, false
    for node in string.gmatch(string.sub(entry, 1, cut - 1), '%S+') do
        if node == leaver then
            was_there = true
        else
            others[#others + 1] = node
        end
    end
    if not was_there then
        return
    end
    if #others > 0 then
        call('HSET', people, user, table.concat(others, ' ') .. string.sub(entry, cut))
        return
    end
    call('HDEL', people, user)
    call('ZREM', order_of .. channel, user)
    local count = call('ZCARD', order_of .. channel)
    if count > NAMED_UP_TO then
        many[channel] = true
    elseif count == NAMED_UP_TO then
        many[channel] = nil
        tell_all(channel, picture(channel))
    else
        tell_all(channel, {'l', channel, user, string.sub(entry, cut + 1)})
    end
end

local function take_out(node)
    for _, had in ipairs(call('SPOP', namespace .. 'had:' .. node, TAKEN_OUT)) do
        local cut = string.find(had, '\0', 1, true)
        local channel = string.sub(had, 1, cut - 1)
        if call('SREM', nodes_of .. channel, node) == 1 then
            interested[channel] = nil
        end
        exit(channel, string.sub(had, cut + 1), node)
    end
    if call('EXISTS', namespace .. 'had:' .. node) == 0 then
        call('SREM', dying, node)
        call('DEL', namespace .. 'heard:' .. node)
    end
end

for _, operation in ipairs(unpack_(ARGV[5])) do
    local what, channel, user = operation[1], operation[2], operation[3]
    if what == 'e' then
        enter(channel, user, operation[4])
    elseif what == 'x' then
        call('SREM', mine, channel .. '\0' .. user)
        exit(channel, user, me)
    elseif what == 'l' then
        call('SADD', nodes_of .. channel, me)
        interested[channel] = nil
        local asked = picture(channel)
        asked[1] = string.upper(asked[1])
        tell(me, asked)
    elseif what == 'f' then
        call('SREM', nodes_of .. channel, me)
        interested[channel] = nil
    elseif what == 'r' and call('ZREM', leases, channel) == 1 then
        call('SADD', dying, channel)
    end
end

local dead = call('ZRANGEBYSCORE', leases, '-inf', '(' .. now, 'LIMIT', 0, 1)[1]
if dead then
    call('ZREM', leases, dead)
    call('SADD', dying, dead)
end
local next_dying = call('SRANDMEMBER', dying)
if next_dying then
    take_out(next_dying)
end

for channel in pairs(many) do
    tell_all(channel, picture(channel))
end
local inbox = namespace .. 'heard:' .. me
local heard = call('LRANGE', inbox, 0, -1)
if #heard > 0 then
    call('DEL', inbox)
end
if outgoing[me] then
    heard[#heard + 1] = pack(outgoing[me])
    outgoing[me] = nil
end
for node, list in pairs(outgoing) do
    call('RPUSH', namespace .. 'heard:' .. node, pack(list))
end
local run = ''
if begins then
    call('SET', namespace .. 'life', me .. now, 'NX')
    run = string.match(call('INFO', 'server'), 'run_id:(%w+)') .. call('GET', namespace .. 'life')
end
return {next_dying and 1 or 0, run, heard}
