# Fails when one of OBJECTS (the kernels_*.cpp of each instruction set) defines a weak symbol, as instantiated templates
# and inline functions are: of several definitions the linker keeps any one, and code for a wider instruction set would
# then run where the processor lacks it. Reads symbols with NM.
if(NOT OBJECTS)
  message(FATAL_ERROR "no object files given")
endif()
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} -C ${object} OUTPUT_VARIABLE listing RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${NM} cannot read ${object}")
  endif()
  if(NOT listing MATCHES "_kernels_f32")
    message(FATAL_ERROR "${object} does not define its table of kernels")
  endif()
  string(REPLACE "\n" ";" lines "${listing}")
  foreach(line IN LISTS lines)
    # address, W or V (weak, defined) or u (unique), name; a lower-case w or v has no address: it is only asked for.
    # Sanitizers add such symbols of their own, whose names begin with underscores or say so.
    if(line MATCHES "^[0-9a-f]+ [WVu] (.*)$" AND NOT CMAKE_MATCH_1 MATCHES "^(__|DW\\.)|asan|ubsan|sanitizer")
      message(SEND_ERROR "weak symbol in ${object}: ${CMAKE_MATCH_1}")
    endif()
  endforeach()
endforeach()
