# Unit tests of the worker's parts, and the worker as a process against a fake engine and a fake coordinator.
find_package(PkgConfig REQUIRED)
pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)

foreach(subject words files config config_table engine hints programs)
  add_executable(test-agent-${subject} ${CMAKE_SOURCE_DIR}/tests/unit/worker-agent/test_${subject}.c)
  target_link_libraries(test-agent-${subject} PRIVATE vn_agent PkgConfig::CRITERION)
  add_test(NAME agent-${subject} COMMAND test-agent-${subject})
endforeach()
target_sources(test-agent-engine PRIVATE ${CMAKE_SOURCE_DIR}/tests/unit/shared/hostile.c)
set_tests_properties(agent-config_table PROPERTIES ENVIRONMENT VENUS_SOURCE=${CMAKE_SOURCE_DIR})

# docs/configuration.md holds what the program says. A further program: one more section in the file and a test like this one.
add_test(NAME docs.configuration-worker COMMAND ${CMAKE_SOURCE_DIR}/scripts/config-doc --check $<TARGET_FILE:zisk-worker>)

# Debian's python3 has grpcio and protobuf; another python3 found first in PATH may not.
find_program(VENUS_TEST_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(VENUS_TEST_PYTHON)
  add_test(NAME agent-process
    COMMAND ${VENUS_TEST_PYTHON} ${CMAKE_SOURCE_DIR}/tests/integration/agent/test_agent.py $<TARGET_FILE:zisk-worker> ${CMAKE_SOURCE_DIR}/proto)
  set_tests_properties(agent-process PROPERTIES TIMEOUT 300)
endif()
