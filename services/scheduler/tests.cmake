find_package(PkgConfig REQUIRED)
pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)

add_executable(test_scheduler_core ${CMAKE_SOURCE_DIR}/tests/unit/scheduler/test_core.c)
target_link_libraries(test_scheduler_core PRIVATE vn_scheduler_core PkgConfig::CRITERION)
add_test(NAME scheduler.core COMMAND test_scheduler_core -j1)

# A bounded run; give it a number of histories and a seed for longer ones.
add_executable(scheduler_sim ${CMAKE_SOURCE_DIR}/tests/simulation/scheduler_sim.c)
target_link_libraries(scheduler_sim PRIVATE vn_scheduler_core)
add_test(NAME scheduler.simulation COMMAND scheduler_sim 60)

set_target_properties(test_scheduler_core scheduler_sim PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
set_tests_properties(scheduler.core scheduler.simulation PROPERTIES TIMEOUT 120)

# The process over the real bus, with the test as gateway and workers: what it must do, and that it outlives anything sent to it.
foreach(subject process hostile)
  add_executable(test_scheduler_${subject} ${CMAKE_SOURCE_DIR}/tests/unit/scheduler/test_${subject}.c
    ${CMAKE_SOURCE_DIR}/tests/unit/scheduler/process_support.c)
  target_compile_definitions(test_scheduler_${subject} PRIVATE VENUS_SCHEDULER="$<TARGET_FILE:venus-scheduler>" VENUSCTL="$<TARGET_FILE:venusctl>")
  target_link_libraries(test_scheduler_${subject} PRIVATE vn_bus vn_proto PkgConfig::CRITERION)
  add_dependencies(test_scheduler_${subject} venus-scheduler venusctl)
  add_test(NAME scheduler.${subject} COMMAND test_scheduler_${subject} -j1)
  set_target_properties(test_scheduler_${subject} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  set_tests_properties(scheduler.${subject} PROPERTIES TIMEOUT 180)
endforeach()
target_sources(test_scheduler_hostile PRIVATE ${CMAKE_SOURCE_DIR}/tests/unit/shared/hostile.c)

add_executable(test_hints_scan ${CMAKE_SOURCE_DIR}/tests/unit/scheduler/test_hints_scan.c ${CMAKE_CURRENT_SOURCE_DIR}/hints_scan.c)
target_link_libraries(test_hints_scan PRIVATE vn_base PkgConfig::CRITERION)
add_test(NAME scheduler.hints_scan COMMAND test_hints_scan -j1)
set_target_properties(test_hints_scan PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
