# vn_mathcore: what the verifier links; no allocation, no I/O. vn_math: the prover's kernels.
add_library(vn_mathcore STATIC
  field/fp.c field/fp6.c
  hash/poseidon2.c hash/sponge.c
  pcs/merkle.c)
target_link_libraries(vn_mathcore PUBLIC venus_flags)
target_compile_options(vn_mathcore PRIVATE -O3)

find_package(Threads REQUIRED)
add_library(vn_math STATIC
  backend/backend.c backend/merkle_tree.c backend/pool.c backend/twiddles.c
  backend/scalar/scalar.c)
target_link_libraries(vn_math PUBLIC vn_mathcore vn_base Threads::Threads)
target_compile_options(vn_math PRIVATE -O3)

if(VENUS_TESTS)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)
  foreach(subject field hash kernels merkle pool)
    add_executable(test-math-${subject} ${CMAKE_SOURCE_DIR}/tests/unit/math/${subject}.c)
    target_link_libraries(test-math-${subject} PRIVATE vn_math PkgConfig::CRITERION)
    add_test(NAME math-${subject} COMMAND test-math-${subject})
  endforeach()

  find_package(Python3 COMPONENTS Interpreter)
  if(Python3_FOUND)
    add_test(NAME math-constants
      COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/scripts/gen-poseidon2-constants --check)
  endif()
endif()
