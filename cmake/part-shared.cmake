add_subdirectory(libshared)
