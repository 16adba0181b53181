add_subdirectory(services/prover-engine)
