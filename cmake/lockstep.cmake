# The one function that makes a library of a folder and holds it to the layers.

add_library(lockstep_options INTERFACE)
target_compile_options(lockstep_options INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
  -Wnon-virtual-dtor -Woverloaded-virtual -Wswitch-enum
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>  # g++ 12 reports std::string's own code
  $<$<BOOL:${LOCKSTEP_WERROR}>:-Werror>)
target_include_directories(lockstep_options INTERFACE ${PROJECT_SOURCE_DIR})
if(LOCKSTEP_SANITIZE)
  target_compile_options(lockstep_options INTERFACE -fsanitize=${LOCKSTEP_SANITIZE}
    -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(lockstep_options INTERFACE -fsanitize=${LOCKSTEP_SANITIZE})
endif()

# lockstep_library(models/schedule SOURCES a.cpp … [USES models/base …] [LINKS external …])
# USES must name folders that were added before this one, so the order of add_subdirectory is the
# order of the layers; sim and exec may not use each other, and models may use neither.
function(lockstep_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LINKS" ${ARGN})
  string(REPLACE "/" "_" target "${folder}")
  add_library(lockstep_${target} STATIC ${ARG_SOURCES})
  add_library(lockstep::${target} ALIAS lockstep_${target})
  string(REGEX MATCH "^[a-z]+" top "${folder}")
  foreach(used IN LISTS ARG_USES)
    string(REGEX MATCH "^[a-z]+" used_top "${used}")
    string(REPLACE "/" "_" used_target "${used}")
    if(NOT TARGET lockstep_${used_target})
      message(FATAL_ERROR "${folder} may not use ${used}: the layer is not below it")
    endif()
    if((top STREQUAL "models" AND NOT used_top STREQUAL "models")
       OR (top STREQUAL "sim" AND used_top STREQUAL "exec")
       OR (top STREQUAL "exec" AND used_top STREQUAL "sim"))
      message(FATAL_ERROR "${folder} may not use ${used}: models, sim and exec are kept apart")
    endif()
    target_link_libraries(lockstep_${target} PUBLIC lockstep_${used_target})
  endforeach()
  target_link_libraries(lockstep_${target} PRIVATE lockstep_options PUBLIC ${ARG_LINKS})
  target_include_directories(lockstep_${target} PUBLIC ${PROJECT_SOURCE_DIR})
endfunction()

# lockstep_embed(<library folder> <variable> files…): compiles files into the library as
# `const std::vector<lockstep::EmbeddedFile>& <variable>()`, so that the program finds them anywhere.
function(lockstep_embed folder function)
  string(REPLACE "/" "_" target "${folder}")
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${function}.cpp)
  set(text "// Made by CMake from the files named below.\n#include \"models/base/embedded.h\"\n\n")
  string(APPEND text "namespace lockstep {\n\nconst std::vector<EmbeddedFile>& ${function}() {\n")
  string(APPEND text "  static const std::vector<EmbeddedFile> files{\n")
  foreach(file IN LISTS ARGN)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME)
    file(READ ${file} content)
    string(APPEND text "      {\"${name}\", R\"__file__(${content})__file__\"},\n")
  endforeach()
  string(APPEND text "  };\n  return files;\n}\n\n}  // namespace lockstep\n")
  file(CONFIGURE OUTPUT ${output} CONTENT "${text}" @ONLY)
  target_sources(lockstep_${target} PRIVATE ${output})
endfunction()
