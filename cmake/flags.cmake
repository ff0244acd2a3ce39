# Warnings are errors; hardening is part of every build. Each flag has its reason beside it.
add_library(steelyard_flags INTERFACE)
target_compile_options(steelyard_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast -Werror
  -fstack-protector-strong        # overwritten return addresses
  -fstack-clash-protection        # stack that jumps over the guard page
  -fcf-protection                 # CET: indirect jumps land on marked targets only
  -ftrivial-auto-var-init=zero    # no stale stack content in output
  -fdata-sections -ffunction-sections)
# clang sees libstdc++ 12's own use of a function that C++17 deprecated.
target_compile_options(steelyard_flags INTERFACE $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
target_compile_definitions(steelyard_flags INTERFACE
  _GLIBCXX_ASSERTIONS             # bounds of operator[], front(), *optional: checked in release too
  STEELYARD_VERSION="${PROJECT_VERSION}")
target_link_options(steelyard_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--gc-sections -Wl,--as-needed)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported()

if(STEELYARD_SANITIZE)
  target_compile_options(steelyard_flags INTERFACE -fsanitize=${STEELYARD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
    -O1 $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)  # false about fmt in instrumented g++ 12
  target_link_options(steelyard_flags INTERFACE -fsanitize=${STEELYARD_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_options(steelyard_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)  # false in g++ 12 when optimizing strings (GCC bug 105651)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
