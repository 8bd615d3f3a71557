// plugin_contract.h - the malloc family's contract as small tests over a table.
//
// Purpose: each test returns the first fault it finds; what the table does not offer is left out.
// Boundary: plugin_check; a test sees the table and nothing else.
// Invariants: a test frees what it allocates, also when it fails.
// Threads: each test runs on one worker thread and may start more.
#pragma once

#include <string>
#include <vector>

#include "allocator_plugin.h"

namespace hakbench {

struct ContractTest {
  const char *name;
  bool (*offered)(const allocator_plugin &);
  // The first fault, or empty. *seen says what was covered.
  std::string (*run)(const allocator_plugin &, std::string *seen);
};

const std::vector<ContractTest> &contract_tests();

}  // namespace hakbench
