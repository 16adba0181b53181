# vn_verify: the verifier, no prover code. vn_stark: set-up, prover, bundles, and the verifier with this processor's hashing.
add_library(vn_verify STATIC
  pcs/layout.c pcs/query.c
  verify/bundle.c verify/header.c verify/leaf.c verify/params.c verify/pcs.c verify/shape.c verify/shard.c verify/vk.c)
target_link_libraries(vn_verify PUBLIC vn_mathcore vn_airmeta vn_base venus_flags)
target_compile_options(vn_verify PRIVATE -O3)

add_library(vn_stark STATIC
  pcs/commit.c pcs/deep.c pcs/evaluate.c pcs/fri.c pcs/open.c pcs/rows.c pcs/writer.c
  stark/bundle.c stark/contribution.c stark/cuda.c stark/host.c stark/logup.c stark/params_print.c stark/phase1.c stark/prove.c stark/quotient.c stark/setup.c stark/shared_tables.c
  verify/host.c)
target_link_libraries(vn_stark PUBLIC vn_verify vn_air vn_math vn_rv PRIVATE ${CMAKE_DL_LIBS})
# Where libvenus-cuda.so is installed, seen from the executables.
file(RELATIVE_PATH VENUS_CUDA_FOLDER /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR}/venus)
set_property(SOURCE stark/cuda.c PROPERTY COMPILE_DEFINITIONS "VENUS_CUDA_FOLDER=\"${VENUS_CUDA_FOLDER}/\"")
target_compile_options(vn_stark PRIVATE -O3)

if(VENUS_TESTS)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)
  foreach(subject pcs verify job shared)
    add_executable(test-stark-${subject} ${CMAKE_SOURCE_DIR}/tests/unit/stark/${subject}_test.c)
    target_link_libraries(test-stark-${subject} PRIVATE vn_stark PkgConfig::CRITERION)
    set_target_properties(test-stark-${subject} PROPERTIES VENUS_CRITERION ON)
    add_test(NAME stark-${subject} COMMAND test-stark-${subject})
  endforeach()
  foreach(subject job shared)
    target_sources(test-stark-${subject} PRIVATE ${CMAKE_SOURCE_DIR}/tests/unit/stark/job.c ${CMAKE_SOURCE_DIR}/tests/unit/vm/elf_builder.c)
    set_tests_properties(stark-${subject} PROPERTIES TIMEOUT 1800 RUN_SERIAL ON LABELS long)
  endforeach()
endif()

# The verifier as a guest program: it links without a C library but what the guest SDK has.
find_program(VENUS_GUEST_CC riscv64-unknown-elf-gcc)
if(VENUS_TESTS AND VENUS_GUEST_CC)
  foreach(library vn_mathcore vn_airmeta vn_verify)
    get_target_property(sources ${library} SOURCES)
    list(APPEND VERIFIER_SOURCES ${sources})
  endforeach()
  set(VERIFIER_MAIN ${CMAKE_SOURCE_DIR}/tests/e2e/verifier_guest.c)
  add_custom_command(
    OUTPUT ${CMAKE_BINARY_DIR}/tests/verifier.elf
    COMMAND ${CMAKE_SOURCE_DIR}/scripts/guest-cc -I ${CMAKE_SOURCE_DIR} -I ${AIR_GEN} -Wall -Wextra -Werror
      ${VERIFIER_MAIN} ${VERIFIER_SOURCES} -o ${CMAKE_BINARY_DIR}/tests/verifier.elf
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    DEPENDS ${VERIFIER_MAIN} vn_mathcore vn_airmeta vn_verify
    COMMENT "Compiling the verifier as a guest program")
  add_custom_target(verifier_guest ALL DEPENDS ${CMAKE_BINARY_DIR}/tests/verifier.elf)
endif()
