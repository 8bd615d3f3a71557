# The workloads against an allocator that checks them; included by the harness, and by the sanitizer presets
# alone, where that allocator stands on the C library's.
include(GoogleTest)
set(workload_test_dir ${CMAKE_CURRENT_LIST_DIR})
add_executable(workload_test ${workload_test_dir}/workload_test.cc
  ${workload_test_dir}/workload_shape_test.cc ${workload_test_dir}/recording_test.cc
  ${workload_test_dir}/trace_replay_test.cc)
test_with_gtest(workload_test hakbench_workload)
target_compile_definitions(workload_test PRIVATE
  WORKLOADS_PAGE="${PROJECT_SOURCE_DIR}/docs/design/workloads.md")
# The thread sanitizer sees nothing in what one thread does alone, and takes minutes for it.
if(HAKMEM_SANITIZE STREQUAL "thread")
  set(several_threads TEST_FILTER Threads/*:TraceReplay.*)
endif()
gtest_discover_tests(workload_test ${several_threads} PROPERTIES LABELS plugins DISCOVERY_MODE PRE_TEST)
