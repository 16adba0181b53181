# vn_metrics: counters, gauges and histograms, and the HTTP server that shows them.
find_package(PkgConfig REQUIRED)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
find_package(Threads REQUIRED)
add_library(vn_metrics STATIC metrics.c metrics_http.c)
target_link_libraries(vn_metrics PUBLIC vn_base PRIVATE PkgConfig::MICROHTTPD Threads::Threads m)

if(VENUS_TESTS)
  pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)
  add_executable(test_metrics ${CMAKE_SOURCE_DIR}/tests/unit/shared/test_metrics.c)
  target_link_libraries(test_metrics PRIVATE vn_metrics PkgConfig::CRITERION Threads::Threads)
  add_test(NAME shared.metrics COMMAND test_metrics -j1)
  set_tests_properties(shared.metrics PROPERTIES TIMEOUT 60)

  # docs/metrics.md is what this prints; --update writes it.
  add_executable(metrics_docs ${CMAKE_SOURCE_DIR}/tests/docs/metrics_docs.c)
  target_link_libraries(metrics_docs PRIVATE vn_metrics)
  add_test(NAME docs.metrics COMMAND metrics_docs --check ${CMAKE_SOURCE_DIR}/docs/metrics.md)

  # Read by Prometheus' Python parser.
  add_executable(metrics_serve ${CMAKE_SOURCE_DIR}/tests/integration/metrics_serve.c)
  target_link_libraries(metrics_serve PRIVATE vn_metrics)
  add_test(NAME shared.metrics_http
    COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/integration/metrics_test.py
            --serve $<TARGET_FILE:metrics_serve> --docs ${CMAKE_SOURCE_DIR}/docs/metrics.md)
  set_tests_properties(shared.metrics_http PROPERTIES TIMEOUT 60)

  set_target_properties(test_metrics metrics_docs metrics_serve PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endif()
