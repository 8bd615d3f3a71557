// ledger_table.h - an RSS ledger as a table for people.
//
// Boundary:   JSON in, text out; pure.
#ifndef HAKBENCH_OUTPUT_LEDGER_TABLE_H_
#define HAKBENCH_OUTPUT_LEDGER_TABLE_H_

#include <nlohmann/json.hpp>
#include <string>

namespace hakbench {

// A line an owner with kB and share of RSS, the residual last. `ledger` is as allocator_plugin.h says,
// with or without what coordinator/ledger.h adds.
std::string ledger_table(const nlohmann::json &ledger);

}  // namespace hakbench

#endif  // HAKBENCH_OUTPUT_LEDGER_TABLE_H_
