# rv64/ and vm/: loader, decoder, executor, replay and witness packages.
include(vm/precompile/precompile.cmake)
add_library(vn_rv STATIC
  rv64/compressed.c
  rv64/decode.c
  rv64/load.c
  vm/exec.c
  vm/memory.c
  vm/native/emit.c
  vm/native/native.c
  vm/native/operations.c
  vm/native/translate.c
  vm/package.c
  vm/replay.c
  vm/special.c)
target_link_libraries(vn_rv PUBLIC vn_base venus_flags PRIVATE vn_precompile)
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
  # Every operation of the interpreter gets its own indirect jump instead of sharing one: 15 % faster.
  set_source_files_properties(vm/exec.c PROPERTIES COMPILE_OPTIONS "-fno-gcse;-fno-crossjumping;--param=max-goto-duplication-insns=40")
endif()

# The guest SDK: guest-cc finds it beside itself.
install(PROGRAMS ${CMAKE_SOURCE_DIR}/scripts/guest-cc DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/guest DESTINATION ${CMAKE_INSTALL_DATADIR}/venus)

if(VENUS_TESTS)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)
  foreach(subject decode load exec package special native)
    add_executable(test-vm-${subject} ${CMAKE_SOURCE_DIR}/tests/unit/vm/${subject}.c ${CMAKE_SOURCE_DIR}/tests/unit/vm/elf_builder.c)
    target_link_libraries(test-vm-${subject} PRIVATE vn_rv PkgConfig::CRITERION)
    add_test(NAME vm-${subject} COMMAND test-vm-${subject})
    set_tests_properties(vm-${subject} PROPERTIES TIMEOUT 120)
  endforeach()

  add_executable(test-vm-run-guest ${CMAKE_SOURCE_DIR}/tests/conformance/run_guest.c)
  target_link_libraries(test-vm-run-guest PRIVATE vn_air)
  find_package(Python3 COMPONENTS Interpreter)
  if(Python3_FOUND)
    add_test(NAME guest-examples
      COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/conformance/examples.py --run-guest $<TARGET_FILE:test-vm-run-guest>)
    add_test(NAME guest-qemu
      COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/conformance/compare_qemu.py --run-guest $<TARGET_FILE:test-vm-run-guest> --count 60)
    add_test(NAME guest-qemu-rv64imac
      COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/conformance/compare_qemu.py --run-guest $<TARGET_FILE:test-vm-run-guest> --count 40 --rv64imac)
    add_test(NAME public-elfs
      COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/conformance/public_elfs.py --engine $<TARGET_FILE:venus-engine>
        --run-guest $<TARGET_FILE:test-vm-run-guest>)
    set_tests_properties(public-elfs PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800)
    set_tests_properties(guest-examples guest-qemu guest-qemu-rv64imac PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
  endif()
endif()
