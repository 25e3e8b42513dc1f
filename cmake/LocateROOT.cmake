# Finds ROOT by its files. find_package(ROOT) is not asked: in the wheel from PyPI its package configuration points into a
# folder that does not exist, and that is an error nobody can catch.
#
# Looked at, in this order: ROOT_DIR, ROOT_ROOT, CMAKE_PREFIX_PATH, ROOTSYS, root-config on PATH, the Python package ROOT.
#
#   LOCATED_ROOT             found?
#   LOCATED_ROOT_VERSION     such as 6.40.0
#   LOCATED_ROOT_INCLUDE     LOCATED_ROOT_LIBS (a folder)     LOCATED_ROOT_ROOTCLING     LOCATED_ROOT_STANDARD (17, 20, ...)
#   LOCATED_ROOT_TMVA        is there a TMVA, library and headers?
#   LOCATED_ROOT_TRIED       where it was looked for, for a message
set(LOCATED_ROOT FALSE)
set(LOCATED_ROOT_TMVA FALSE)
set(LOCATED_ROOT_STANDARD 17)

set(prefixes ${ROOT_DIR} ${ROOT_ROOT} ${CMAKE_PREFIX_PATH} $ENV{ROOTSYS})
find_program(LOCATED_ROOT_CONFIG root-config)
if(LOCATED_ROOT_CONFIG)
  get_filename_component(real ${LOCATED_ROOT_CONFIG} REALPATH)
  get_filename_component(real ${real} DIRECTORY)
  get_filename_component(real ${real} DIRECTORY)
  execute_process(COMMAND ${LOCATED_ROOT_CONFIG} --prefix OUTPUT_VARIABLE said ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  list(APPEND prefixes ${said} ${real})
endif()
find_program(LOCATED_ROOT_PYTHON NAMES python3 python)
if(LOCATED_ROOT_PYTHON)
  # the folder of the package, and those around it: a wheel carries its libraries in the package, others in <prefix>/lib
  execute_process(COMMAND ${LOCATED_ROOT_PYTHON} -c
      "import importlib.util as u, os; s = u.find_spec('ROOT'); p = os.path.dirname(os.path.realpath(s.origin)); \
print(';'.join([p] + [os.path.abspath(os.path.join(p, *['..'] * n)) for n in (1, 2, 3, 4)]))"
    OUTPUT_VARIABLE said ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  list(APPEND prefixes ${said})
endif()
# ROOT_DIR may be the folder of ROOTConfig.cmake, <prefix>/cmake or <prefix>/lib/cmake/ROOT
foreach(prefix IN LISTS ROOT_DIR)
  list(APPEND prefixes ${prefix}/.. ${prefix}/../../..)
endforeach()
list(REMOVE_DUPLICATES prefixes)
set(LOCATED_ROOT_TRIED ${prefixes})

foreach(prefix IN LISTS prefixes)
  if(LOCATED_ROOT)
    break()
  endif()
  get_filename_component(prefix ${prefix} ABSOLUTE)
  foreach(include include include/root)
    foreach(libs lib lib64 lib/root lib64/root)
      file(GLOB core_library ${prefix}/${libs}/libCore.so ${prefix}/${libs}/libCore.dylib)
      if(NOT LOCATED_ROOT AND EXISTS ${prefix}/${include}/TROOT.h AND core_library AND EXISTS ${prefix}/bin/rootcling)
        set(LOCATED_ROOT TRUE)
        set(LOCATED_ROOT_INCLUDE ${prefix}/${include})
        set(LOCATED_ROOT_LIBS ${prefix}/${libs})
        set(LOCATED_ROOT_ROOTCLING ${prefix}/bin/rootcling)
      endif()
    endforeach()
  endforeach()
endforeach()

if(LOCATED_ROOT)
  set(version_header ${LOCATED_ROOT_INCLUDE}/ROOT/RVersion.hxx)
  if(NOT EXISTS ${version_header})
    set(version_header ${LOCATED_ROOT_INCLUDE}/RVersion.h)
  endif()
  file(READ ${version_header} text)
  if(text MATCHES "define ROOT_VERSION_MAJOR +([0-9]+).*define ROOT_VERSION_MINOR +([0-9]+).*define ROOT_VERSION_PATCH +([0-9]+)")
    set(LOCATED_ROOT_VERSION ${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3})
  elseif(text MATCHES "define ROOT_RELEASE +\"([0-9]+)\\.([0-9]+)/([0-9]+)\"")
    set(LOCATED_ROOT_VERSION ${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3})
  endif()
  if(EXISTS ${LOCATED_ROOT_INCLUDE}/compiledata.h)
    file(READ ${LOCATED_ROOT_INCLUDE}/compiledata.h text)
    if(text MATCHES "-std=[a-z]+\\+\\+(17|20|23|26)")
      set(LOCATED_ROOT_STANDARD ${CMAKE_MATCH_1})
    endif()
  endif()
  file(GLOB tmva_library ${LOCATED_ROOT_LIBS}/libTMVA.so ${LOCATED_ROOT_LIBS}/libTMVA.dylib)
  if(tmva_library AND EXISTS ${LOCATED_ROOT_INCLUDE}/TMVA/MethodBase.h)
    set(LOCATED_ROOT_TMVA TRUE)
  endif()
endif()
