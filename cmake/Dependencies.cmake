# External libraries, each found once. Static archives are taken where Debian has them, so that the
# program needs nothing of the host (and nothing of a container) at run time.
include(GoogleTest)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED) # used header-only: Debian has no static one
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(GTest REQUIRED)

# What tools/deps built, ahead of the system's.
set(LYR_DEPS_DIR ${CMAKE_SOURCE_DIR}/build/deps CACHE PATH "Where tools/deps put what it built")
list(PREPEND CMAKE_PREFIX_PATH ${LYR_DEPS_DIR})
set(PKG_CONFIG_USE_CMAKE_PREFIX_PATH ON)

# lyr_archive(TARGET libNAME.a [more.a...]): an imported target for static archives.
function(lyr_archive target)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  foreach(file ${ARGN})
    string(MAKE_C_IDENTIFIER "LYR_${file}" variable)
    find_library(${variable} NAMES ${file} REQUIRED)
    target_link_libraries(${target} INTERFACE ${${variable}})
  endforeach()
endfunction()

lyr_archive(OpenSSL::Crypto libcrypto.a)
lyr_archive(lyr::lmdb liblmdb.a)
lyr_archive(lyr::isal libisal.a)
lyr_archive(lyr::zstd libzstd.a)
lyr_archive(lyr::xxhash libxxhash.a)
lyr_archive(lyr::uring liburing.a)
lyr_archive(lyr::seccomp libseccomp.a)
lyr_archive(lyr::numa libnuma.a)
target_include_directories(lyr::isal INTERFACE ${LYR_DEPS_DIR}/include/isa-l)
target_link_libraries(OpenSSL::Crypto INTERFACE Threads::Threads ${CMAKE_DL_LIBS})
target_link_libraries(lyr::lmdb INTERFACE Threads::Threads)

# libfuse3 >= 3.18: the system's when new enough, else what tools/deps built under build/deps.
pkg_check_modules(fuse3 REQUIRED IMPORTED_TARGET GLOBAL fuse3>=3.18)
find_library(LYR_LIBFUSE NAMES libfuse3.a fuse3 HINTS ${fuse3_LIBRARY_DIRS} REQUIRED)
add_library(lyr::fuse UNKNOWN IMPORTED GLOBAL) # so that what it needs is linked after it
set_target_properties(lyr::fuse PROPERTIES IMPORTED_LOCATION ${LYR_LIBFUSE})
target_include_directories(lyr::fuse INTERFACE ${fuse3_INCLUDE_DIRS})
target_link_libraries(lyr::fuse INTERFACE lyr::uring lyr::numa Threads::Threads ${CMAKE_DL_LIBS})
