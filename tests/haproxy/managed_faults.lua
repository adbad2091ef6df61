-- SPDX-License-Identifier: MIT
-- Stands before the real thinair_core and raises errors, as Lua does when memory is short: before a
-- call, and behind one, so that what it answered is lost.

local path = "MODULES/thinair_core.so"
local core_engine = assert(package.loadlib(path, "luaopen_thinair_core"))()

-- By function, and for turns by what they ask for: which calls raise, counted from 1. The test
-- orders two certificates: the third order and the third installation are of a renewal.
local BEFORE = {turn = {[3] = true, [40] = true}, http = {[2] = true, [9] = true},
                done = {[1] = true}}
local BEHIND = {order = {[3] = true}, event = {[2] = true}, install = {[3] = true}}

local counts = {}

local function counted(name, faults)
    counts[name] = (counts[name] or 0) + 1
    if (faults or {})[counts[name]] then
        core.log(core.info, "injected " .. name)
        error("injected", 0)
    end
end

local function faulty(name, call)
    return function(...)
        counted("before " .. name, BEFORE[name])
        local results = table.pack(call(...))
        if name == "turn" then
            local kind, what = results[1], results[2]
            local is_order = kind == "http" and what.url:find("/order-plz", 1, true)
            kind = is_order and "order" or kind
            counted("behind " .. kind, BEHIND[kind])
        end
        return table.unpack(results, 1, results.n)
    end
end

local start = core_engine.start

function core_engine.start(options)
    local handle, is_first = start(options)
    if handle then
        local index = getmetatable(handle).__index
        for name in pairs(BEFORE) do
            index[name] = faulty(name, index[name])
        end
    end
    return handle, is_first
end

return core_engine
