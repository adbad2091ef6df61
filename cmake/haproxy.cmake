# SPDX-License-Identifier: MIT
# The HAProxies that tests run: Debian 12's, and the one that scripts/newer.sh unpacks from a newer
# Debian. A test that does not find its HAProxy says so and is skipped.
find_program(AIR_HAPROXY_DEBIAN haproxy PATHS ${PROJECT_SOURCE_DIR}/build/peers/usr/sbin /usr/sbin)
mark_as_advanced(AIR_HAPROXY_DEBIAN)
set(AIR_HAPROXY_5.3 "${AIR_HAPROXY_DEBIAN}")
set(AIR_HAPROXY_5.4 "${PROJECT_SOURCE_DIR}/build/newer/bin/haproxy")

# air_haproxy_test(NAME COMMAND... [LABELS labels...] [TIMEOUT seconds]): a test for each HAProxy,
# NAME_lua5.3 and NAME_lua5.4, named after the Lua that it brings. @HAPROXY@ and @ABI@ in the command
# become the program and its Lua's version.
function(air_haproxy_test name)
    cmake_parse_arguments(TEST "" "TIMEOUT" "COMMAND;LABELS" ${ARGN})
    foreach(abi ${AIR_LUA_ABIS})
        string(REPLACE "@HAPROXY@" "${AIR_HAPROXY_${abi}}" command "${TEST_COMMAND}")
        string(REPLACE "@ABI@" "${abi}" command "${command}")
        add_test(NAME ${name}_lua${abi} COMMAND ${command})
        set_tests_properties(${name}_lua${abi} PROPERTIES LABELS "${TEST_LABELS}"
            TIMEOUT ${TEST_TIMEOUT} SKIP_RETURN_CODE 77)
    endforeach()
endfunction()
