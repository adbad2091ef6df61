-- SPDX-License-Identifier: MIT
-- Proves thinair_records.lua: a record is read whole or not at all, in whatever pieces it comes,
-- and never beyond what a record may have (RFC 8446 section 5.2).

local fake = require("fake_core")
local harness = require("harness")
local records = require("thinair_records")
local same = harness.same

local tests = {}

local function record(size)
    return "\22\3\3" .. string.char(size >> 8, size & 255) .. ("a"):rep(size)
end

function tests.reads_records_in_any_pieces()
    local first, second = record(300), record(0)
    for _, pieces in ipairs{{first .. second}, fake.bytes(first .. second),
        {first:sub(1, 3), first:sub(4, 6), first:sub(7) .. second:sub(1, 4), second:sub(5)}} do
        local source = fake.source(pieces)
        same(records.receive(source), first)
        same(records.receive(source), second)
        same(records.receive(source), nil)
    end
end

function tests.reads_the_longest_there_may_be()
    local longest = record(16384 + 2048)
    same(records.receive(fake.source{longest}), longest)
end

function tests.refuses_longer_ones_by_their_head_alone()
    for _, size in ipairs{16384 + 2049, 65535} do
        local source = fake.source{record(size)}
        same(records.receive(source), nil)
        same(source.taken, 5)
    end
    same(records.receive(fake.source{"GET / HTTP/1.1\r\n\r\n"}), nil)
end

function tests.refuses_what_is_cut_short()
    local whole = record(20)
    for size = 0, #whole - 1 do
        same(records.receive(fake.source{whole:sub(1, size)}), nil)
    end
end

-- A source that gives less than it was asked for, or an empty piece, has closed.
function tests.takes_less_for_the_end()
    for _, parts in ipairs{{""}, {"\22\3"}, {"\22\3\3\0\5", ""}, {"\22\3\3\0\5", "abc"}} do
        local at = 0
        same(records.receive{receive = function()
            at = at + 1
            return parts[at]
        end}, nil)
        same(at, #parts)
    end
end

harness.run(tests)
