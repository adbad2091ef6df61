# SPDX-License-Identifier: MIT
# The libwebsockets that tests run with: Debian 12's, installed, and the one that scripts/newer.sh
# unpacks from a newer Debian. What is compiled for one of them links air_lws_4.1 or air_lws_4.3;
# AIR_LWS lists those that are there. A test whose libwebsockets is not there says so and is
# skipped.
pkg_check_modules(LWS IMPORTED_TARGET libwebsockets=4.1.6)
set(AIR_LWS "")
if(LWS_FOUND)
    list(APPEND AIR_LWS 4.1)
    add_library(air_lws_4.1 INTERFACE)
    target_link_libraries(air_lws_4.1 INTERFACE PkgConfig::LWS)
endif()

# A program that links this one names the newer Debian's loader and libraries itself, OpenSSL and
# the C library among them, so it runs as any other program does. As RPATH: what libwebsockets
# stands on is looked for there too. That is not checked by the linker, which would look in the
# machine's own C library.
set(newer ${PROJECT_SOURCE_DIR}/build/newer-lws)
if(EXISTS ${newer}/include/libwebsockets.h)
    list(APPEND AIR_LWS 4.3)
    add_library(air_lws_4.3 INTERFACE)
    target_include_directories(air_lws_4.3 SYSTEM INTERFACE ${newer}/include)
    target_link_libraries(air_lws_4.3 INTERFACE -l:libwebsockets.so.19)
    target_link_options(air_lws_4.3 INTERFACE -L${newer}/lib -Wl,--allow-shlib-undefined
        -Wl,--dynamic-linker=${newer}/lib/loader -Wl,--disable-new-dtags,-rpath,${newer}/lib)
endif()

# libwebsockets takes even what is on the loopback through a proxy that it is told of.
set(lws_environment http_proxy=unset: https_proxy=unset:)

# air_lws_program(NAME SOURCES files... [LINK targets...]): a program for each libwebsockets that is
# there, NAME_lws4.1 and NAME_lws4.3.
function(air_lws_program name)
    cmake_parse_arguments(PROGRAM "" "" "SOURCES;LINK" ${ARGN})
    foreach(version ${AIR_LWS})
        set(target ${name}_lws${version})
        add_executable(${target} ${PROGRAM_SOURCES})
        set_target_properties(${target} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
        target_include_directories(${target}
            PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
        target_link_libraries(${target} PRIVATE ${PROGRAM_LINK} air_lws_${version})
    endforeach()
endfunction()

# air_lws_test(NAME COMMAND... [LABELS labels...] [TIMEOUT seconds]): a test for each libwebsockets,
# NAME_lws4.1 and NAME_lws4.3. @LWS@ in the command becomes its version.
function(air_lws_test name)
    cmake_parse_arguments(TEST "" "TIMEOUT" "COMMAND;LABELS" ${ARGN})
    foreach(version 4.1 4.3)
        if(version IN_LIST AIR_LWS)
            string(REPLACE "@LWS@" "${version}" command "${TEST_COMMAND}")
        else()
            set(command sh -c "echo 'skipped: there is no libwebsockets ${version}' && exit 77")
        endif()
        add_test(NAME ${name}_lws${version} COMMAND ${command})
        set_tests_properties(${name}_lws${version} PROPERTIES LABELS "${TEST_LABELS}"
            TIMEOUT ${TEST_TIMEOUT} SKIP_RETURN_CODE 77
            ENVIRONMENT_MODIFICATION "${lws_environment}")
    endforeach()
endfunction()

# lwsws, the server of libwebsockets that loads plugins, by the version of its sources. It is built
# when a test needs it, by a test that the others wait for; the plugins are compiled then too, with
# its headers. Under sanitizers it cannot load them.
set(AIR_LWSWS_4.1 4.1.6)
set(AIR_LWSWS_4.3 4.3.5)
if(NOT AIR_SANITIZE)
    foreach(version 4.1 4.3)
        set(folder ${PROJECT_SOURCE_DIR}/build/lwsws-${AIR_LWSWS_${version}})
        add_custom_target(air_lwsws_plugins_${version})
        add_test(NAME lwsws_built_lws${version}
            COMMAND ${PROJECT_SOURCE_DIR}/tests/lws/lwsws_built.sh ${AIR_LWSWS_${version}} ${folder}
                ${CMAKE_BINARY_DIR} air_lwsws_plugins_${version})
        # Each of them builds in the same folder.
        set_tests_properties(lwsws_built_lws${version} PROPERTIES LABELS "lws;slow" TIMEOUT 900
            SKIP_RETURN_CODE 77 FIXTURES_SETUP lwsws_lws${version} RESOURCE_LOCK air_lwsws_built)
    endforeach()
endif()

# air_lwsws_plugin(NAME SOURCES files... [LINK targets...]): a plugin for each lwsws, alone in the
# folder plugins/NAME_lws4.1 or plugins/NAME_lws4.3. It must export an object called NAME: lwsws
# takes that from the file's name.
function(air_lwsws_plugin name)
    cmake_parse_arguments(PLUGIN "" "" "SOURCES;LINK" ${ARGN})
    foreach(version 4.1 4.3)
        set(target ${name}_lwsws${version})
        add_library(${target} MODULE EXCLUDE_FROM_ALL ${PLUGIN_SOURCES})
        set_target_properties(${target} PROPERTIES PREFIX libprotocol_ OUTPUT_NAME ${name}
            LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins/${name}_lws${version})
        target_include_directories(${target} SYSTEM
            PRIVATE ${PROJECT_SOURCE_DIR}/build/lwsws-${AIR_LWSWS_${version}}/include)
        target_include_directories(${target}
            PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
        target_link_libraries(${target} PRIVATE ${PLUGIN_LINK})
        target_link_options(${target} PRIVATE -Wl,--exclude-libs,ALL)
        add_dependencies(air_lwsws_plugins_${version} ${target})
    endforeach()
endfunction()

# air_lwsws_test(NAME COMMAND... [LABELS labels...] [TIMEOUT seconds]): a test for each lwsws,
# NAME_lws4.1 and NAME_lws4.3. @LWSWS@ in the command becomes the program, @LWS@ its version. The
# test runs even when the program is not there; it says so and is skipped then.
function(air_lwsws_test name)
    cmake_parse_arguments(TEST "" "TIMEOUT" "COMMAND;LABELS" ${ARGN})
    foreach(version 4.1 4.3)
        set(program ${PROJECT_SOURCE_DIR}/build/lwsws-${AIR_LWSWS_${version}}/bin/lwsws)
        string(REPLACE "@LWSWS@" "${program}" command "${TEST_COMMAND}")
        string(REPLACE "@LWS@" "${version}" command "${command}")
        add_test(NAME ${name}_lws${version} COMMAND ${command})
        set_tests_properties(${name}_lws${version} PROPERTIES LABELS "${TEST_LABELS}"
            TIMEOUT ${TEST_TIMEOUT} SKIP_RETURN_CODE 77 FIXTURES_REQUIRED lwsws_lws${version}
            ENVIRONMENT_MODIFICATION "${lws_environment}")
    endforeach()
endfunction()
