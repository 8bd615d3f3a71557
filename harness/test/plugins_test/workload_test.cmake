# The workloads against an allocator that checks them; included by the harness, and by the sanitizer presets
# alone, where that allocator stands on the C library's.
include(GoogleTest)
set(workload_test_dir ${CMAKE_CURRENT_LIST_DIR})
add_executable(workload_test ${workload_test_dir}/workload_test.cc
  ${workload_test_dir}/workload_shape_test.cc ${workload_test_dir}/recording_test.cc
  ${workload_test_dir}/trace_replay_test.cc)
target_link_libraries(workload_test PRIVATE hakbench_workload GTest::gtest_main)
target_compile_definitions(workload_test PRIVATE
  WORKLOADS_PAGE="${PROJECT_SOURCE_DIR}/docs/design/workloads.md")
gtest_discover_tests(workload_test PROPERTIES LABELS plugins DISCOVERY_MODE PRE_TEST)
