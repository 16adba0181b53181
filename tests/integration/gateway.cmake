# The gateway against a scheduler made for the test, driven by the stock Python client.
add_executable(gateway_scheduler ${CMAKE_SOURCE_DIR}/tests/integration/gateway_scheduler.c)
target_link_libraries(gateway_scheduler PRIVATE vn_bus vn_proto)
add_test(NAME gateway
  COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/integration/gateway_test.py
          --gateway $<TARGET_FILE:venus-gateway> --scheduler $<TARGET_FILE:gateway_scheduler> --proto ${CMAKE_SOURCE_DIR}/proto)
set_tests_properties(gateway PROPERTIES TIMEOUT 180)
