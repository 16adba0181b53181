# What spans several parts: whole-cluster tests, and the check that layers stay in order.
if(VENUS_TESTS)
  add_subdirectory(tests/e2e)
  if(TARGET vn_stark)
    include(tests/soundness/soundness.cmake)
  endif()
  add_test(NAME lint.layers COMMAND ${CMAKE_SOURCE_DIR}/scripts/check-layers)
endif()
