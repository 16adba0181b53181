# venus-engine: the prover as a program.
add_executable(venus-engine engine/main.c engine/commands.c engine/execute.c engine/child.c engine/work.c engine/file.c engine/scratch.c)
target_compile_definitions(venus-engine PRIVATE VENUS_VERSION="${PROJECT_VERSION}")
target_link_libraries(venus-engine PRIVATE vn_stark vn_precompile vn_shared vn_base vn_proto venus_flags)
install(TARGETS venus-engine RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

if(VENUS_TESTS)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)
  add_executable(test-engine-child ${CMAKE_SOURCE_DIR}/tests/unit/engine/child_test.c ${CMAKE_SOURCE_DIR}/tests/unit/shared/hostile.c
    ${CMAKE_SOURCE_DIR}/tests/unit/vm/elf_builder.c)
  target_compile_definitions(test-engine-child PRIVATE VENUS_ENGINE="$<TARGET_FILE:venus-engine>")
  target_link_libraries(test-engine-child PRIVATE vn_shared vn_base vn_proto PkgConfig::CRITERION)
  set_target_properties(test-engine-child PROPERTIES VENUS_CRITERION ON)
  add_test(NAME engine-child COMMAND test-engine-child -j1)
  set_tests_properties(engine-child PROPERTIES TIMEOUT 600)
endif()
