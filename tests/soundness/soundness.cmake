# Forgeries from end to end: a dishonest prover against the real verifier. Each proof takes seconds, so they are `long`.
find_package(PkgConfig REQUIRED)
pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)
foreach(subject shard job key)
  add_executable(test-soundness-${subject}
    ${CMAKE_SOURCE_DIR}/tests/soundness/${subject}_test.c ${CMAKE_SOURCE_DIR}/tests/soundness/forger.c ${CMAKE_SOURCE_DIR}/tests/soundness/guest.c
    ${CMAKE_SOURCE_DIR}/tests/unit/stark/job.c ${CMAKE_SOURCE_DIR}/tests/unit/vm/elf_builder.c)
  target_link_libraries(test-soundness-${subject} PRIVATE vn_stark PkgConfig::CRITERION)
  add_test(NAME soundness-${subject} COMMAND test-soundness-${subject})
  set_tests_properties(soundness-${subject} PROPERTIES LABELS long TIMEOUT 1800 RUN_SERIAL ON)
endforeach()
