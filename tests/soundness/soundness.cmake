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

# The verifier's own sources once more, with its challenges written down.
get_target_property(verifier_sources vn_verify SOURCES)
list(TRANSFORM verifier_sources PREPEND ${CMAKE_SOURCE_DIR}/services/prover-engine/)
add_executable(test-soundness-transcript ${CMAKE_SOURCE_DIR}/tests/soundness/transcript_test.c ${verifier_sources})
foreach(name bundle pcs shard) # those that draw challenges
  set_property(SOURCE ${CMAKE_SOURCE_DIR}/services/prover-engine/verify/${name}.c APPEND PROPERTY
    COMPILE_OPTIONS -include ${CMAKE_SOURCE_DIR}/tests/soundness/recorded.h)
endforeach()
target_link_libraries(test-soundness-transcript PRIVATE vn_mathcore vn_airmeta vn_base PkgConfig::CRITERION)
add_test(NAME soundness-transcript COMMAND test-soundness-transcript)
set_tests_properties(soundness-transcript PROPERTIES TIMEOUT 600)

# 128 bits, from the formulas of the papers; the documentation's table is held against them.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME soundness-bits
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/soundness/bits.py $<TARGET_FILE:venus-engine> ${CMAKE_SOURCE_DIR}/docs/soundness.md)
