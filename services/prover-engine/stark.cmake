# vn_verify: the verifier, no allocation, no prover code. vn_stark: set-up, prover, bundles.
add_library(vn_verify STATIC
  pcs/layout.c pcs/query.c
  verify/params.c verify/pcs.c)
target_link_libraries(vn_verify PUBLIC vn_mathcore vn_base venus_flags)
target_compile_options(vn_verify PRIVATE -O3)

add_library(vn_stark STATIC
  pcs/commit.c pcs/deep.c pcs/evaluate.c pcs/fri.c pcs/writer.c)
target_link_libraries(vn_stark PUBLIC vn_verify vn_math)
target_compile_options(vn_stark PRIVATE -O3)

if(VENUS_TESTS)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)
  foreach(subject pcs)
    add_executable(test-stark-${subject} ${CMAKE_SOURCE_DIR}/tests/unit/stark/${subject}_test.c)
    target_link_libraries(test-stark-${subject} PRIVATE vn_stark PkgConfig::CRITERION)
    target_compile_options(test-stark-${subject} PRIVATE -Wno-conversion) # the assertion macros
    add_test(NAME stark-${subject} COMMAND test-stark-${subject})
  endforeach()
endif()
