# find_package(hakmem 0.1): hakmem::hakmem is libhakmem.so, hakmem::hakmem_static is libhakmem.a.
include(${CMAKE_CURRENT_LIST_DIR}/hakmemTargets.cmake)

# CMake would link libhakmem.a as C++, as it is written in it; but it needs no C++ run-time.
get_target_property(hakmem_configurations hakmem::hakmem_static IMPORTED_CONFIGURATIONS)
foreach(hakmem_configuration IN LISTS hakmem_configurations)
  set_property(TARGET hakmem::hakmem_static
               PROPERTY IMPORTED_LINK_INTERFACE_LANGUAGES_${hakmem_configuration} C)
endforeach()
unset(hakmem_configuration)
unset(hakmem_configurations)
