# Warnings, sanitizers, and the three ways a target is made: lyr_library, lyr_program, lyr_test.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS ON) # TRY is a statement expression
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

set(LYR_SANITIZE "" CACHE STRING "address,undefined or thread; empty for none")
option(LYR_STATIC "Link lyr statically: nothing of a container can be loaded into it" OFF)
option(LYR_FUZZ "Build the fuzz targets for libFuzzer (needs clang)" OFF)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(lyr_flags INTERFACE)
target_include_directories(lyr_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_compile_definitions(lyr_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64
                                               LYR_VERSION="${PROJECT_VERSION}")
target_compile_options(lyr_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Werror
                                           -Wno-gnu-statement-expression)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # -Wpedantic complains of TRY's statement expression in spite of __extension__ in templates.
  # g++ 12 at -O3 is wrong about std::string + (-Wrestrict, GCC bug 105651) and about optional and
  # expected values (-Wmaybe-uninitialized, bug 80635). Clang's build has both checks.
  target_compile_options(lyr_flags INTERFACE -Wno-missing-field-initializers -Wno-restrict
                                             -Wno-maybe-uninitialized)
else()
  # libstdc++ 12's stable_sort is written with a function it has deprecated itself.
  target_compile_options(lyr_flags INTERFACE -Wno-missing-field-initializers
                                             -Wno-gnu-statement-expression-from-macro-expansion
                                             -Wno-deprecated-declarations)
endif()
if(LYR_SANITIZE)
  target_compile_options(lyr_flags INTERFACE -fsanitize=${LYR_SANITIZE} -fno-omit-frame-pointer
                                             -fno-sanitize-recover=all)
  target_link_options(lyr_flags INTERFACE -fsanitize=${LYR_SANITIZE})
endif()
if(LYR_FUZZ)
  target_compile_options(lyr_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# For several sources at once, which take a third of the time: names of one hide those of another,
# and g++ takes all for headers. So the builds that are made for their tests are compiled, and the
# tests of any build but the one to work with.
add_library(lyr_unity INTERFACE)
target_compile_options(lyr_unity INTERFACE
  -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
if(CMAKE_UNITY_BUILD)
  target_link_libraries(lyr_flags INTERFACE lyr_unity)
endif()

# lyr_library(NAME SOURCES a.cpp... [USES room...] [LINKS target...])
function(lyr_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;LINKS" ${ARGN})
  add_library(lyr_${name} STATIC ${arg_SOURCES})
  list(TRANSFORM arg_USES PREPEND lyr_)
  target_link_libraries(lyr_${name} PUBLIC lyr_flags ${arg_USES} ${arg_LINKS})
endfunction()

# lyr_test(NAME SOURCES a_test.cpp... USES room...): one GoogleTest program, one ctest entry a test,
# but for those that ELSEWHERE matches (a GoogleTest filter): they can't run just anywhere.
function(lyr_test name)
  cmake_parse_arguments(arg "" "ELSEWHERE" "SOURCES;USES;LINKS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  list(TRANSFORM arg_USES PREPEND lyr_)
  target_link_libraries(${name} PRIVATE lyr_flags lyr_unity ${arg_USES} ${arg_LINKS}
                                        GTest::gtest_main)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
  endif()
  gtest_discover_tests(${name} TEST_FILTER "-${arg_ELSEWHERE}" DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 600)
endfunction()
