# venus-engine: the prover as a program.
add_executable(venus-engine engine/main.c engine/commands.c engine/execute.c engine/child.c engine/work.c engine/file.c)
target_compile_definitions(venus-engine PRIVATE VENUS_VERSION="${PROJECT_VERSION}")
target_link_libraries(venus-engine PRIVATE vn_stark vn_precompile vn_shared vn_base vn_proto venus_flags)
install(TARGETS venus-engine RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
