# vn_mathcore: what the verifier links; no allocation, no I/O. vn_math: the prover's kernels.
add_library(vn_mathcore STATIC
  field/fp.c field/fp6.c
  hash/batch.c hash/poseidon2.c hash/sponge.c
  pcs/merkle.c)
target_link_libraries(vn_mathcore PUBLIC venus_flags)
target_compile_options(vn_mathcore PRIVATE -O3)

find_package(Threads REQUIRED)
add_library(vn_math STATIC
  backend/backend.c backend/buffer.c backend/merkle_tree.c backend/pool.c backend/stages.c backend/twiddles.c
  backend/scalar/scalar.c backend/avx2/avx2.c backend/avx512/avx512.c)
target_link_libraries(vn_math PUBLIC vn_mathcore vn_base Threads::Threads)
target_compile_options(vn_math PRIVATE -O3)
# Chosen at run time; generated code that includes a packed.h takes the same flags.
set(VENUS_AVX2_FLAGS -mavx2)
set(VENUS_AVX512_FLAGS -mavx512f -mavx512bw -mavx512ifma)
set_source_files_properties(backend/avx2/avx2.c PROPERTIES COMPILE_OPTIONS "${VENUS_AVX2_FLAGS}")
set_source_files_properties(backend/avx512/avx512.c PROPERTIES COMPILE_OPTIONS "${VENUS_AVX512_FLAGS}")

if(VENUS_TESTS)
  add_executable(venus-bench-kernels ${CMAKE_SOURCE_DIR}/tests/bench/kernels.c)
  target_link_libraries(venus-bench-kernels PRIVATE vn_math)

  find_package(PkgConfig REQUIRED)
  pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)
  foreach(subject field hash kernels merkle pool)
    add_executable(test-math-${subject} ${CMAKE_SOURCE_DIR}/tests/unit/math/${subject}.c)
    target_link_libraries(test-math-${subject} PRIVATE vn_math PkgConfig::CRITERION)
    add_test(NAME math-${subject} COMMAND test-math-${subject})
  endforeach()

  foreach(isa scalar avx2 avx512)
    string(TOUPPER ${isa} upper)
    add_executable(test-math-packed-${isa} ${CMAKE_SOURCE_DIR}/tests/unit/math/packed.c)
    target_compile_options(test-math-packed-${isa} PRIVATE ${VENUS_${upper}_FLAGS})
    target_compile_definitions(test-math-packed-${isa} PRIVATE PACKED_ISA="${isa}"
      PACKED_HEADER="services/prover-engine/backend/${isa}/packed.h")
    target_link_libraries(test-math-packed-${isa} PRIVATE vn_math PkgConfig::CRITERION)
    add_test(NAME math-packed-${isa} COMMAND test-math-packed-${isa})
  endforeach()

  find_package(Python3 COMPONENTS Interpreter)
  if(Python3_FOUND)
    add_test(NAME math-constants
      COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/scripts/gen-poseidon2-constants --check)
  endif()
endif()
