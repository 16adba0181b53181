# Flags every target of the project is built with. Targets with the property VENUS_CRITERION use that library's assertion macros, which convert.
add_library(venus_flags INTERFACE)
target_compile_options(venus_flags INTERFACE
  -Wall -Wextra -Wshadow $<$<NOT:$<BOOL:$<TARGET_PROPERTY:VENUS_CRITERION>>>:-Wconversion> -Wvla -Wno-sign-conversion
  $<$<BOOL:${VENUS_WERROR}>:-Werror>
  -fno-strict-aliasing -fvisibility=hidden
  -UNDEBUG) # assertions stay on in release builds
target_include_directories(venus_flags INTERFACE ${CMAKE_SOURCE_DIR})

# The sanitizers, for generated code too, which does not meet our warnings.
add_library(venus_sanitizers INTERFACE)
if(VENUS_SANITIZE)
  target_compile_options(venus_sanitizers INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1)
  target_link_options(venus_sanitizers INTERFACE -fsanitize=address,undefined)
endif()
if(VENUS_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "The fuzz targets need libFuzzer: configure with CC=clang.")
  endif()
  target_compile_options(venus_sanitizers INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1)
  target_link_options(venus_sanitizers INTERFACE -fsanitize=address,undefined)
endif()
target_link_libraries(venus_flags INTERFACE venus_sanitizers)
