# airc runs while building and writes the tables as code; vn_airmeta is what the verifier links, vn_air the prover's side.
add_executable(airc
  air/airc.c air/airc_cuda.c air/builder.c air/bus.c
  air/tables/common.c air/tables/alu.c air/tables/control.c air/tables/shift.c air/tables/muldiv.c air/tables/memory.c air/tables/misaligned.c air/tables/atomic.c
  air/tables/shard.c)
target_link_libraries(airc PRIVATE vn_mathcore venus_flags)

set(AIR_GEN ${CMAKE_CURRENT_BINARY_DIR}/air)
file(MAKE_DIRECTORY ${AIR_GEN})
add_custom_command(
  OUTPUT ${AIR_GEN}/air_tables.h ${AIR_GEN}/air_data.c ${AIR_GEN}/air_eval.inc ${AIR_GEN}/air_cuda.inc ${AIR_GEN}/tables.md
  COMMAND airc ${AIR_GEN}
  DEPENDS airc
  COMMENT "Compiling the tables")
add_custom_target(air_generated DEPENDS ${AIR_GEN}/air_tables.h ${AIR_GEN}/air_data.c ${AIR_GEN}/air_eval.inc ${AIR_GEN}/air_cuda.inc ${AIR_GEN}/tables.md)

add_library(vn_airmeta STATIC air/meta.c air/bus.c ${AIR_GEN}/air_data.c)
add_dependencies(vn_airmeta air_generated)
target_link_libraries(vn_airmeta PUBLIC vn_mathcore venus_flags)
target_include_directories(vn_airmeta PUBLIC ${AIR_GEN})
target_compile_options(vn_airmeta PRIVATE -O3)

add_library(vn_air STATIC
  air/kernels.c air/kernels_scalar.c
  air/trace.c air/trace_rows.c air/trace_pre.c air/lookups.c air/walk.c air/check.c)
add_dependencies(vn_air air_generated)
target_link_libraries(vn_air PUBLIC vn_airmeta vn_rv vn_math venus_flags)
target_compile_options(vn_air PRIVATE -O2)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_sources(vn_air PRIVATE air/kernels_avx2.c air/kernels_avx512.c)
  set_property(SOURCE air/kernels_avx2.c APPEND PROPERTY COMPILE_OPTIONS -mavx2)
  set_property(SOURCE air/kernels_avx512.c APPEND PROPERTY COMPILE_OPTIONS -mavx512f)
endif()
set_source_files_properties(air/kernels_scalar.c air/kernels_avx2.c air/kernels_avx512.c PROPERTIES OBJECT_DEPENDS ${AIR_GEN}/air_eval.inc)
if(VENUS_SANITIZE OR VENUS_FUZZ)
  # Thousands of straight-line operations without a branch: instrumented they take minutes to compile. They are compared with the evaluation
  # at a point, which is instrumented.
  set_property(SOURCE air/kernels_scalar.c air/kernels_avx2.c air/kernels_avx512.c APPEND PROPERTY COMPILE_OPTIONS -fno-sanitize=all)
endif()

if(VENUS_TESTS)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)
  add_library(test_air_support STATIC ${CMAKE_SOURCE_DIR}/tests/unit/air/support.c ${CMAKE_SOURCE_DIR}/tests/unit/vm/elf_builder.c)
  target_link_libraries(test_air_support PUBLIC vn_air PkgConfig::CRITERION)
  foreach(subject trace mutation forgery kernels rules)
    add_executable(test-air-${subject} ${CMAKE_SOURCE_DIR}/tests/unit/air/${subject}.c)
    target_link_libraries(test-air-${subject} PRIVATE test_air_support)
    add_test(NAME air-${subject} COMMAND test-air-${subject})
    set_tests_properties(air-${subject} PROPERTIES TIMEOUT 240)
  endforeach()
  target_sources(test-air-rules PRIVATE air/builder.c)
  add_test(NAME air-tables-document
    COMMAND ${CMAKE_COMMAND} -E compare_files ${AIR_GEN}/tables.md ${CMAKE_SOURCE_DIR}/docs/tables.md)
endif()
