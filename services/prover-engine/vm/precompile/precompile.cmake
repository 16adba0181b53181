# vm/precompile/: precompiles, DMA and fcalls as functions over guest memory.
find_library(GMP_LIBRARY gmp REQUIRED)
add_library(vn_precompile STATIC
  ${CMAKE_CURRENT_LIST_DIR}/dma.c
  ${CMAKE_CURRENT_LIST_DIR}/fcall.c
  ${CMAKE_CURRENT_LIST_DIR}/modular.c
  ${CMAKE_CURRENT_LIST_DIR}/permutations.c
  ${CMAKE_CURRENT_LIST_DIR}/precompile.c)
target_link_libraries(vn_precompile PUBLIC vn_base venus_flags PRIVATE ${GMP_LIBRARY})

if(VENUS_TESTS)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)
  add_executable(test-vm-precompile ${CMAKE_SOURCE_DIR}/tests/unit/vm/precompile.c)
  target_link_libraries(test-vm-precompile PRIVATE vn_precompile PkgConfig::CRITERION)
  add_test(NAME vm-precompile COMMAND test-vm-precompile)
  find_package(Python3 COMPONENTS Interpreter)
  if(Python3_FOUND)
    add_test(NAME vm-precompile-vectors COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/unit/vm/gen_precompile_vectors.py --check)
  endif()
  set_tests_properties(vm-precompile PROPERTIES TIMEOUT 120)
endif()
