// gates_table.h - hakmem's settings, as its own build wrote them down.
//
// Purpose:    `hakbench list gates`; other names of profiles; a setting that hakmem would ignore is
//             found before anything is measured with it.
// Boundary:   reads share/hakmem/gates.json beside the binary: the harness knows no allocator's inside.
#ifndef HAKBENCH_CLI_GATES_TABLE_H_
#define HAKBENCH_CLI_GATES_TABLE_H_

#include <nlohmann/json.hpp>
#include <string>

namespace hakbench {

// {"gates": [...], "profiles": [...]}. Throws Error if the build did not write it.
nlohmann::json read_gates();

// The profile that has this alias; empty: none, or there is no table.
std::string profile_of_alias(const std::string &alias);

// Throws Error, which begins with `option` as it was typed, if hakmem has no setting of this name or it
// does not take the value. Other names than hakmem's pass, and all do where there is no table.
void check_hakmem_setting(const std::string &option, const std::string &name,
                          const std::string &value);

}  // namespace hakbench

#endif  // HAKBENCH_CLI_GATES_TABLE_H_
