# SPDX-License-Identifier: MIT
# Lua C modules, one build for each Lua that is here: 5.3 is HAProxy's in Debian 12, 5.4 its
# successors'. A module is not linked with Lua: the program that loads it brings it.
set(AIR_LUA_ABIS "" CACHE INTERNAL "The Lua versions whose development files were found")
foreach(abi 5.3 5.4)
    pkg_check_modules(LUA${abi} QUIET IMPORTED_TARGET GLOBAL lua${abi})
    if(LUA${abi}_FOUND)
        set_property(CACHE AIR_LUA_ABIS APPEND PROPERTY VALUE ${abi})
    else()
        message(STATUS "liblua${abi}-dev is not installed: no modules for Lua ${abi}")
    endif()
endforeach()

# air_lua_module(NAME SOURCES... [LINK targets...]): NAME.so in lib/lua5.3 and lib/lua5.4.
#
# For each Lua an object library NAME_lua5.x is made, which tests link too, and the module
# NAME_lua5.x_so. The rooms it needs go into it; it exports nothing but the luaopen_ function. The
# global property AIR_LUA_MODULES lists the files that were made.
function(air_lua_module name)
    cmake_parse_arguments(MODULE "" "" "LINK" ${ARGN})
    foreach(abi ${AIR_LUA_ABIS})
        set(target ${name}_lua${abi})
        add_library(${target} OBJECT ${MODULE_UNPARSED_ARGUMENTS})
        target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${LUA${abi}_INCLUDE_DIRS})
        target_link_libraries(${target} PUBLIC ${MODULE_LINK})

        add_library(${target}_so MODULE)
        target_link_libraries(${target}_so PRIVATE ${target})
        set_target_properties(${target}_so PROPERTIES LINKER_LANGUAGE C PREFIX ""
            OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/lua${abi})
        target_link_options(${target}_so PRIVATE -Wl,--as-needed -Wl,--exclude-libs,ALL)
        set_property(GLOBAL APPEND PROPERTY AIR_LUA_MODULES $<TARGET_FILE:${target}_so>)
        # Where Lua itself looks, so that `require` finds it.
        install(TARGETS ${target}_so LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/lua/${abi})
    endforeach()
endfunction()
