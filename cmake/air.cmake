# SPDX-License-Identifier: MIT

# air_room(NAME SOURCES... [LINK targets...]): one room of the house as a static library, air_NAME.
# Rooms see include/ and the repository's root ("src/base/span.h"), nothing else.
function(air_room name)
    cmake_parse_arguments(ROOM "" "" "LINK" ${ARGN})
    add_library(air_${name} STATIC ${ROOM_UNPARSED_ARGUMENTS})
    target_include_directories(air_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(air_${name} PUBLIC ${ROOM_LINK})
endfunction()

# air_test(NAME LABELS labels... SOURCES files... [LINK targets...] [TIMEOUT seconds]): one cmocka program, one test.
function(air_test name)
    cmake_parse_arguments(TEST "" "TIMEOUT" "LABELS;SOURCES;LINK" ${ARGN})
    pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
    if(NOT TEST_TIMEOUT)
        set(TEST_TIMEOUT 60)
    endif()
    add_executable(test_${name} ${TEST_SOURCES})
    target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(test_${name} PRIVATE ${TEST_LINK} PkgConfig::CMOCKA)
    set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${name} COMMAND test_${name})
    set_tests_properties(${name} PROPERTIES LABELS "${TEST_LABELS}" TIMEOUT ${TEST_TIMEOUT})
endfunction()
