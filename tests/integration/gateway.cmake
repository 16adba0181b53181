# The gateway against a scheduler made for the test, driven by the stock Python client.
add_executable(gateway_scheduler ${CMAKE_SOURCE_DIR}/tests/integration/gateway_scheduler.c)
set_target_properties(gateway_scheduler PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(gateway_scheduler PRIVATE vn_bus vn_proto)
add_test(NAME gateway.api
  COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/integration/gateway_test.py
          --gateway $<TARGET_FILE:venus-gateway> --scheduler $<TARGET_FILE:gateway_scheduler> --proto ${CMAKE_SOURCE_DIR}/proto)
set_tests_properties(gateway.api PROPERTIES TIMEOUT 180)

# buf curl and grpc-js, which npm fetches; without npm or a network the test is skipped.
add_test(NAME gateway.npm
  COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/integration/npm_test.py
          --gateway $<TARGET_FILE:venus-gateway> --scheduler $<TARGET_FILE:gateway_scheduler> --folder ${CMAKE_BINARY_DIR}/npm)
set_tests_properties(gateway.npm PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 LABELS npm)

find_package(PkgConfig REQUIRED)
pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)
add_executable(test_gateway_wire ${CMAKE_SOURCE_DIR}/tests/unit/gateway/wire_test.c ${CMAKE_SOURCE_DIR}/services/gateway/wire.c)
target_link_libraries(test_gateway_wire PRIVATE vn_base vn_proto PkgConfig::CRITERION)
set_target_properties(test_gateway_wire PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME gateway.wire COMMAND test_gateway_wire -j1)
set_tests_properties(gateway.wire PROPERTIES TIMEOUT 60)
