foreach(dir gateway scheduler worker-agent coordinator)
  add_subdirectory(services/${dir})
endforeach()
