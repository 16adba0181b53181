# vm/precompile/: precompiles, DMA and fcalls as functions over guest memory.
find_library(GMP_LIBRARY gmp REQUIRED)
add_library(vn_precompile STATIC
  ${CMAKE_CURRENT_LIST_DIR}/dma.c
  ${CMAKE_CURRENT_LIST_DIR}/fcall.c
  ${CMAKE_CURRENT_LIST_DIR}/modular.c
  ${CMAKE_CURRENT_LIST_DIR}/permutations.c
  ${CMAKE_CURRENT_LIST_DIR}/precompile.c)
target_link_libraries(vn_precompile PUBLIC vn_base venus_flags PRIVATE ${GMP_LIBRARY})
