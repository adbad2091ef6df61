# SPDX-License-Identifier: MIT
# Compiler settings that hold for every target, and the switches the presets set.
include(CheckCCompilerFlag)
include(CheckPIESupported)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

# Position-independent everywhere: rooms end up in shared libraries, programs are PIE.
check_pie_supported(LANGUAGES C)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(AIR_CCACHE ccache)
mark_as_advanced(AIR_CCACHE)
if(AIR_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER ${AIR_CCACHE})
endif()

set(AIR_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them: address,undefined or thread")

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
    -Wall -Wextra -Werror -Wformat=2 -Wconversion -Wsign-conversion -Wshadow -Wvla -Walloca
    -Wimplicit-fallthrough -Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
    -Wundef -fno-strict-overflow -fno-delete-null-pointer-checks -fstack-protector-strong
    -fstack-clash-protection -fcf-protection=full
    # Objects do not depend on where the sources lie: builds compare, caches hit.
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)

# Hardening that one of gcc 12 and clang 14 does not know.
foreach(flag -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr)
    string(MAKE_C_IDENTIFIER "AIR_HAS${flag}" has)
    check_c_compiler_flag(${flag} ${has})
    if(${has})
        add_compile_options(${flag})
    endif()
endforeach()

if(AIR_SANITIZE)
    add_compile_options(-O1 -fsanitize=${AIR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${AIR_SANITIZE})
else()
    # Fortification needs the optimizer; level 3 where it is known (gcc 12), else 2.
    check_c_compiler_flag("-O2 -Werror -D_FORTIFY_SOURCE=3" AIR_HAS_FORTIFY_3)
    set(level $<IF:$<BOOL:${AIR_HAS_FORTIFY_3}>,3,2>)
    add_compile_options("$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=${level}>")
endif()
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code)
