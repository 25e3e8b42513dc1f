# Where things are installed, and the CMake package that outside projects find.
#
#   plain install                       in the Python package
#   lib/libtmva_lstm_core.a             tmva_lstm_plugin/lib/libtmva_lstm_core.a
#   include/tmva_lstm/core/*.h          tmva_lstm_plugin/include/tmva_lstm/core/*.h
#   lib/cmake/tmva_lstm_plugin/*.cmake  tmva_lstm_plugin/lib/cmake/tmva_lstm_plugin/*.cmake
#   lib/libTMVALSTM.so, .rootmap, _rdict.pcm; include/tmva_lstm/MethodLSTM.h (and TMVA/*.h without a real TMVA)
include(CMakePackageConfigHelpers)

if(DEFINED SKBUILD)
  set(TMVA_LSTM_LIB_DIR tmva_lstm_plugin/lib)
  set(TMVA_LSTM_INCLUDE_DIR tmva_lstm_plugin/include/tmva_lstm)
else()
  include(GNUInstallDirs)
  set(TMVA_LSTM_LIB_DIR ${CMAKE_INSTALL_LIBDIR})
  set(TMVA_LSTM_INCLUDE_DIR ${CMAKE_INSTALL_INCLUDEDIR}/tmva_lstm)
  # `cmake --install` alone builds what is not built yet.
  install(CODE "execute_process(COMMAND \"${CMAKE_COMMAND}\" --build \"${CMAKE_BINARY_DIR}\" RESULT_VARIABLE failed)
    if(failed)
      message(FATAL_ERROR \"the build in ${CMAKE_BINARY_DIR} failed: nothing was installed\")
    endif()")
endif()
set(TMVA_LSTM_CMAKE_DIR ${TMVA_LSTM_LIB_DIR}/cmake/tmva_lstm_plugin)

# Call it last, when all targets are known.
function(tmva_lstm_install_package)
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/tmva_lstm_pluginConfig.cmake.in
    ${PROJECT_BINARY_DIR}/tmva_lstm_pluginConfig.cmake INSTALL_DESTINATION ${TMVA_LSTM_CMAKE_DIR})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/tmva_lstm_pluginConfigVersion.cmake
    VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
  install(EXPORT tmva_lstm_plugin NAMESPACE tmva_lstm:: FILE tmva_lstm_pluginTargets.cmake
    DESTINATION ${TMVA_LSTM_CMAKE_DIR})
  install(FILES ${PROJECT_BINARY_DIR}/tmva_lstm_pluginConfig.cmake
    ${PROJECT_BINARY_DIR}/tmva_lstm_pluginConfigVersion.cmake DESTINATION ${TMVA_LSTM_CMAKE_DIR})
endfunction()
