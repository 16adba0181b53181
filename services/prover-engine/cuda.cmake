# backend/cuda: libvenus-cuda.so, which the engine opens at run time, and for tests the same sources as plain C.
set(CUDA_DIR services/prover-engine/backend/cuda)
set(CUDA_FILES)     # for nvcc
set(EMULATED_FILES) # for the C compiler
foreach(source commit fri hash ntt poly session tables)
  list(APPEND CUDA_FILES ${CMAKE_SOURCE_DIR}/${CUDA_DIR}/${source}.cu)
  set(file ${CMAKE_CURRENT_BINARY_DIR}/cuda/${source}.c)
  file(CONFIGURE OUTPUT ${file} CONTENT "#include \"${CUDA_DIR}/${source}.cu\"\n")
  list(APPEND EMULATED_FILES ${file})
endforeach()
foreach(part 0 1 2 3) # PARTS of airc_cuda.c
  foreach(suffix cu c)
    file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/cuda/tables_${part}.${suffix} CONTENT "#define TABLES_PART ${part}\n#include \"air_cuda.inc\"\n")
  endforeach()
  list(APPEND CUDA_FILES ${CMAKE_CURRENT_BINARY_DIR}/cuda/tables_${part}.cu)
  list(APPEND EMULATED_FILES ${CMAKE_CURRENT_BINARY_DIR}/cuda/tables_${part}.c)
endforeach()

if(VENUS_CUDA_FOUND)
  add_library(venus-cuda MODULE ${CUDA_FILES})
  add_dependencies(venus-cuda air_generated)
  set_target_properties(venus-cuda PROPERTIES
    CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON CUDA_RUNTIME_LIBRARY Static CUDA_VISIBILITY_PRESET hidden
    CUDA_ARCHITECTURES "${VENUS_CUDA_ARCHITECTURES}" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  target_include_directories(venus-cuda PRIVATE ${CMAKE_SOURCE_DIR} ${AIR_GEN})
  target_compile_options(venus-cuda PRIVATE
    -Xcompiler=-Wall,-Wextra,-Wno-unused-function,-Wno-unknown-pragmas $<$<BOOL:${VENUS_WERROR}>:-Werror=all-warnings>)
  install(TARGETS venus-cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/venus)
endif()

if(VENUS_TESTS)
  add_library(venus-cuda-emulated MODULE ${EMULATED_FILES})
  add_dependencies(venus-cuda-emulated air_generated)
  target_compile_definitions(venus-cuda-emulated PRIVATE VN_CUDA_EMULATED)
  target_include_directories(venus-cuda-emulated PRIVATE ${AIR_GEN})
  target_compile_options(venus-cuda-emulated PRIVATE -O2)
  target_link_libraries(venus-cuda-emulated PRIVATE venus_flags)
  if(VENUS_SANITIZE) # generated straight-line code, as in air.cmake
    target_compile_options(venus-cuda-emulated PRIVATE -O1)
    foreach(part 0 1 2 3)
      set_property(SOURCE ${CMAKE_CURRENT_BINARY_DIR}/cuda/tables_${part}.c APPEND PROPERTY COMPILE_OPTIONS -fno-sanitize=all)
    endforeach()
  endif()
  set_target_properties(venus-cuda-emulated PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})

  add_executable(test-stark-cuda ${CMAKE_SOURCE_DIR}/tests/unit/stark/cuda_test.c ${CMAKE_SOURCE_DIR}/tests/unit/stark/job.c
    ${CMAKE_SOURCE_DIR}/tests/unit/vm/elf_builder.c)
  target_link_libraries(test-stark-cuda PRIVATE vn_stark ${CMAKE_DL_LIBS})
  foreach(case openings tables shard)
    add_test(NAME cuda-emulated-${case} COMMAND test-stark-cuda $<TARGET_FILE:venus-cuda-emulated> ${case})
    set_tests_properties(cuda-emulated-${case} PROPERTIES TIMEOUT 1800)
    add_test(NAME cuda-device-${case} COMMAND test-stark-cuda device ${case})
    set_tests_properties(cuda-device-${case} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)
  endforeach()
  add_test(NAME cuda-emulated-failures COMMAND test-stark-cuda $<TARGET_FILE:venus-cuda-emulated> failures)
  set_tests_properties(cuda-emulated-shard PROPERTIES RUN_SERIAL ON LABELS long)
endif()
