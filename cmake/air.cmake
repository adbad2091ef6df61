# SPDX-License-Identifier: MIT

# air_room(NAME SOURCES... [LINK targets...]): one room of the house as a static library, air_NAME.
# Rooms see include/ and the repository's root ("src/base/span.h"), nothing else.
function(air_room name)
    cmake_parse_arguments(ROOM "" "" "LINK" ${ARGN})
    add_library(air_${name} STATIC ${ROOM_UNPARSED_ARGUMENTS})
    target_include_directories(air_${name}
        PUBLIC ${PROJECT_SOURCE_DIR}/include
        PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(air_${name} PUBLIC ${ROOM_LINK})
endfunction()

# air_test(NAME LABELS labels... SOURCES files... [LINK targets...] [TIMEOUT seconds]): one cmocka
# program, one test.
function(air_test name)
    cmake_parse_arguments(TEST "" "TIMEOUT" "LABELS;SOURCES;LINK" ${ARGN})
    if(NOT TEST_TIMEOUT)
        set(TEST_TIMEOUT 60)
    endif()
    add_executable(test_${name} ${TEST_SOURCES})
    target_include_directories(test_${name}
        PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(test_${name} PRIVATE ${TEST_LINK} PkgConfig::CMOCKA)
    set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${name} COMMAND test_${name})
    set_tests_properties(${name} PROPERTIES LABELS "${TEST_LABELS}" TIMEOUT ${TEST_TIMEOUT})
endfunction()

# air_library(NAME ROOMS rooms... HEADERS headers... [USES libraries...] [REQUIRES modules...]
#             [REQUIRES_PRIVATE modules...] DESCRIPTION text): one installed shared library, libNAME.
#
# It is made of every object of its rooms. What it needs of other rooms it gets from the installed
# libraries it USES; the functions of src/base/, which are no interface between libraries, it gets as
# a private copy. REQUIRES and REQUIRES_PRIVATE go into its pkg-config file.
function(air_library name)
    cmake_parse_arguments(LIB "" "DESCRIPTION" "ROOMS;HEADERS;USES;REQUIRES;REQUIRES_PRIVATE" ${ARGN})
    string(REPLACE "-" "_" target "lib_${name}")
    list(TRANSFORM LIB_ROOMS PREPEND air_)
    list(TRANSFORM LIB_ROOMS REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
    add_library(${target} SHARED ${objects})
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C
        OUTPUT_NAME ${name} VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
    target_include_directories(${target} INTERFACE ${PROJECT_SOURCE_DIR}/include)
    # The order matters: what an installed library has is not taken from an archive.
    target_link_libraries(${target} PRIVATE ${LIB_USES} ${LIB_ROOMS})
    target_link_options(${target}
        PRIVATE -Wl,--as-needed -Wl,--exclude-libs,ALL)
    if(NOT AIR_SANITIZE)
        target_link_options(${target} PRIVATE -Wl,--no-undefined)
    endif()

    install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
    list(TRANSFORM LIB_HEADERS PREPEND ${PROJECT_SOURCE_DIR}/include/thinair/)
    install(FILES ${LIB_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/thinair)

    # Relative to itself, so that an installed tree can be moved.
    file(RELATIVE_PATH PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
    set(PC_NAME ${name})
    set(PC_DESCRIPTION ${LIB_DESCRIPTION})
    list(JOIN LIB_REQUIRES ", " PC_REQUIRES)
    list(JOIN LIB_REQUIRES_PRIVATE ", " PC_REQUIRES_PRIVATE)
    configure_file(${PROJECT_SOURCE_DIR}/packaging/library.pc.in
        ${CMAKE_BINARY_DIR}/packaging/${name}.pc @ONLY)
    install(FILES ${CMAKE_BINARY_DIR}/packaging/${name}.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
