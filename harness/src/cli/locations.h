// locations.h - where the parts of an installation or a source tree are.
//
// Purpose:    one place that knows the two layouts: PREFIX/{bin,lib,share} and TREE/build/PRESET/bin.
// Invariants: everything is found relative to the running binary, so a tree can be moved. Plugins may lie
//             elsewhere by a variable, tools in $PATH; profiles are looked for in ./profiles first, and
//             last in the tree that the binary was built from.
#ifndef HAKBENCH_CLI_LOCATIONS_H_
#define HAKBENCH_CLI_LOCATIONS_H_

#include <optional>
#include <string>
#include <vector>

namespace hakbench {

std::string executable_folder();

// The folder of the plugins: $HAKBENCH_PLUGIN_DIR, else plugins/ beside bin/, else lib/hakmem/plugins.
std::string plugin_folder();

// "libhakmem-observe.so" to its path. Throws Error if it is not there.
std::string find_library(const std::string &file);

// The folders that may hold profiles, those that exist and can be read.
std::vector<std::string> profile_folders();

// "quick" to the path of that profile; what has a slash or ends in .json is a path already. Throws
// Error that lists the known names.
std::string find_profile(const std::string &name);

// The table of hakmem's gates that its build wrote, where it lies if it does.
std::string gates_file();

// hakbench-NAME beside the binary, then in libexec/hakmem, then in $PATH: a tool of another build would
// measure with the hakbench of that.
std::optional<std::string> find_tool(const std::string &name);

}  // namespace hakbench

#endif  // HAKBENCH_CLI_LOCATIONS_H_
