-- SPDX-License-Identifier: MIT
-- Proves thinair_deployment.lua: the names of files, a crt-list whose text depends on what is
-- wanted and not on the order it is said in, and which of HAProxy's lines are ours to take away.

local harness = require("harness")
local deployment = require("thinair_deployment")
local text = require("thinair_runtime_text")
local same = harness.same

local tests = {}

local A = {names = {"a.example", "www.a.example"}, keys = {"rsa-2048", "ecdsa-p256"}}
local W = {names = {"*.w.example"}, keys = {"ecdsa-p384"}, options = "alpn h2"}
local OTHER = {id = "zero", names = {"b.example"}, keys = {"rsa-4096"}}

local LIST = [[
# Written by thinair: what is changed here is lost.
/s/live/_.w.example/ecdsa-p384/bundle.pem [alpn h2] *.w.example
/s/live/a.example/ecdsa-p256/bundle.pem a.example www.a.example
/s/live/a.example/rsa-2048/bundle.pem a.example www.a.example
/s/live/zero/rsa-4096/bundle.pem b.example
]]

function tests.a_store_is_a_file_of_the_state_directory()
    same(deployment.store("/s", "a.example", "rsa-2048"), "/s/live/a.example/rsa-2048/bundle.pem")
    same(deployment.store("/s//", "*.a.example", "ecdsa-p256"),
        "/s/live/_.a.example/ecdsa-p256/bundle.pem")
end

function tests.the_list_depends_on_what_is_wanted_only()
    for _, wanted in ipairs{{A, W, OTHER}, {OTHER, W, A}, {W, OTHER, A}} do
        same(deployment.file(deployment.entries("/s", wanted)), LIST)
    end
end

function tests.nothing_wanted_is_a_list_too()
    same(deployment.file(deployment.entries("/s", {})),
        "# Written by thinair: what is changed here is lost.\n")
end

function tests.leaves_the_lines_of_others()
    local listed = text.crt_list("# /l\n/etc/own.pem:1\n/s/live/gone/rsa-2048/bundle.pem:2 x\n"
        .. "/s/live/gone/rsa-2048/bundle.pem:3 y\n/s/live/a.example/ecdsa-p256/bundle.pem:4\n"
        .. "/s/lively/a:5\n/other/live/b:6\n")
    local stale = deployment.stale("/s/", deployment.entries("/s/", {A}), listed)
    same(table.concat(stale, "|"), "/s/live/gone/rsa-2048/bundle.pem")
    same(#deployment.stale("/none", {}, listed), 0)
end

harness.run(tests)
