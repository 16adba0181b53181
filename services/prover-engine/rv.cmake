# rv64/ and vm/: loader, decoder, executor, replay and witness packages.
add_library(vn_rv STATIC
  rv64/decode.c
  rv64/load.c
  vm/exec.c
  vm/memory.c
  vm/replay.c
  vm/package.c)
target_link_libraries(vn_rv PUBLIC vn_base venus_flags)
