-- Takes some of the rate that a name may have: the generic cell rate algorithm (ITU-T I.371, annex A).
--
-- ARGV: key, what it costs, how much may be owed, '1' to take it in any case
-- Costs and debts are the microseconds in which the rate pays for them. Time is Redis' own.
-- Gives 0 if it is taken, otherwise the microseconds until it may be.
--
-- The key holds when it was written and what was owed then. It expires when all is paid.

local call = redis.call
local key, cost, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local time = call('TIME')
local now = time[1] * 1000000 + time[2]

-- Lua's own way to write a number keeps 14 digits only.
local function state(owed)
    return string.format('%.0f %.0f', now, owed)
end

local owed = 0
local written, was_owed = string.match(call('GET', key) or '', '^(%d+) (%d+)$')
if written then
    owed = math.max(0, was_owed - math.max(0, now - written))
    if now < tonumber(written) then
        -- Redis' clock was set back: from now on debts are paid again.
        call('SET', key, state(owed), 'KEEPTTL')
    end
end
if owed > most and ARGV[4] ~= '1' then
    return owed - most
end
-- A negative cost gives back what was taken.
owed = math.max(0, owed + cost)
call('SET', key, state(owed), 'PX', string.format('%.0f', math.ceil(owed / 1000) + 1))
return 0
