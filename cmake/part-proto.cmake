add_subdirectory(proto)
