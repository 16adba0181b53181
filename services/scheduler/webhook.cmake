# vn_webhook: notifications about ended jobs.
find_package(PkgConfig REQUIRED)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(LIBCRYPTO REQUIRED IMPORTED_TARGET libcrypto)
find_package(Threads REQUIRED)
add_library(vn_webhook STATIC webhook.c webhook_body.c)
target_link_libraries(vn_webhook PUBLIC vn_shared PRIVATE PkgConfig::CURL PkgConfig::LIBCRYPTO Threads::Threads)

if(VENUS_TESTS)
  pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)
  add_executable(test_webhook ${CMAKE_SOURCE_DIR}/tests/unit/scheduler/test_webhook.c)
  target_link_libraries(test_webhook PRIVATE vn_webhook PkgConfig::CRITERION)
  add_test(NAME scheduler.webhook COMMAND test_webhook -j1)

  add_executable(test_webhook_memory ${CMAKE_SOURCE_DIR}/tests/unit/scheduler/test_webhook_memory.c)
  target_link_libraries(test_webhook_memory PRIVATE vn_webhook vn_metrics PkgConfig::CRITERION)
  target_link_options(test_webhook_memory PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=strdup)
  add_test(NAME scheduler.webhook_memory COMMAND test_webhook_memory -j1)

  # Against a real HTTP server, and the examples of docs/webhook.md against real notifications.
  add_executable(webhook_post ${CMAKE_SOURCE_DIR}/tests/integration/webhook_post.c)
  target_link_libraries(webhook_post PRIVATE vn_webhook)
  add_test(NAME scheduler.webhook_http
    COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/integration/webhook_test.py
            --post $<TARGET_FILE:webhook_post> --docs ${CMAKE_SOURCE_DIR}/docs/webhook.md)

  set_target_properties(test_webhook test_webhook_memory webhook_post PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  set_tests_properties(scheduler.webhook scheduler.webhook_memory scheduler.webhook_http PROPERTIES TIMEOUT 120)
endif()
