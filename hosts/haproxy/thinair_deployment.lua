-- SPDX-License-Identifier: MIT
-- What HAProxy finds on disk when it starts: which file of the state directory is which store, and
-- the crt-list that names them. The same names are used while it runs, so that a certificate that
-- was put in place live is, after a reload, the one from its file. Pure: others write.
--
-- HAProxy does not start when a crt-list names a file that is not there. So a crt-list is written
-- after the files that are new in it, and before those that it no longer names are removed.

local text = require("thinair_runtime_text")

local deployment = {}

-- The order of a name's lines: ECDSA first.
local RANKS = {["ecdsa-p256"] = 1, ["ecdsa-p384"] = 2}

-- deployment.store(state, id, key_type): the file that has chain and key of a certificate, and the
-- name HAProxy knows it by. docs/state-directory.md says what else is there.
function deployment.store(state, id, key_type)
    return table.concat({(state:gsub("/+$", "")), "live", (id:gsub("%*", "_")), key_type,
                         "bundle.pem"}, "/")
end

-- deployment.entries(state, certificates): the entries of a crt-list, as thinair_runtime's deploy
-- takes them (store, names, options), in an order that depends on nothing but what they say.
--   state         the state directory, as it is called outside the chroot
--   certificates  a list of {id =, keys = {"ecdsa-p256", ...}, names = {...}, options =}; the id is
--                 the first name when it is left out, and only keys that have a certificate belong
function deployment.entries(state, certificates)
    local entries = {}
    for _, certificate in ipairs(certificates) do
        local id = certificate.id or certificate.names[1]
        for _, key_type in ipairs(certificate.keys) do
            table.insert(entries, {store = deployment.store(state, id, key_type),
                                   names = certificate.names, options = certificate.options,
                                   id = id, rank = RANKS[key_type] or 3})
        end
    end
    table.sort(entries, function(a, b)
        if a.id ~= b.id then
            return a.id < b.id
        elseif a.rank ~= b.rank then
            return a.rank < b.rank
        end
        return a.store < b.store
    end)
    for _, entry in ipairs(entries) do
        entry.id, entry.rank = nil, nil
    end
    return entries
end

-- deployment.file(entries): the crt-list's text.
function deployment.file(entries)
    local lines = {"# Written by thinair: what is changed here is lost."}
    for _, entry in ipairs(entries) do
        table.insert(lines, text.crt_list_line(entry))
    end
    return table.concat(lines, "\n") .. "\n"
end

-- deployment.stale(state, entries, listed): of what HAProxy lists (thinair_runtime's crt_list) the
-- stores that are of this state directory and wanted no longer, each once. Lines of others are not
-- ours to judge.
function deployment.stale(state, entries, listed)
    local ours, seen, stale = state:gsub("/+$", "") .. "/live/", {}, {}
    for _, entry in ipairs(entries) do
        seen[entry.store] = true
    end
    for _, entry in ipairs(listed) do
        if entry.store:sub(1, #ours) == ours and not seen[entry.store] then
            seen[entry.store] = true
            table.insert(stale, entry.store)
        end
    end
    return stale
end

return deployment
