// list_command.cc - `hakbench list`: allocators, controls, workloads, profiles, gates, columns.
//
// Boundary:   prints what other tables say; loads no plugin.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/commands.h"
#include "cli/gates_table.h"
#include "cli/locations.h"
#include "coordinator/profile.h"
#include "model/error.h"
#include "output/csv.h"
#include "subject/plugin_loader.h"
#include "workload/workload.h"

namespace hakbench {
namespace {

namespace fs = std::filesystem;

// Told by the name, because to list is not to load.
bool is_named_control(const PluginSpec &plugin) { return plugin.name.rfind("control_", 0) == 0; }

void list_those(bool controls) {
  for (const PluginSpec &plugin : list_plugins(plugin_folder()))
    if (is_named_control(plugin) == controls) fmt::print("  {:<20} {}\n", plugin.name, plugin.path);
}

void list_allocators() { list_those(false); }

// Planted faults around another plugin; no allocators to choose.
void list_controls() { list_those(true); }

void list_the_workloads() {
  for (const WorkloadInfo &info : list_workloads()) {
    fmt::print("  {:<20} {}\n", info.name, info.summary);
    fmt::print("    {:<18} workers (default {}, {} to {})\n", "threads", info.default_threads,
               info.min_threads, info.max_threads);
    if (!info.file_doc.empty()) fmt::print("    {:<18} {}\n", "file", info.file_doc);
    for (const ParamInfo &param : info.params)
      fmt::print("    {:<18} {} (default {}, {} to {})\n", param.name, param.doc,
                 param.default_value, param.min, param.max);
  }
}

// Any folder may be called profiles: a file that is none of ours is named as such.
std::string description_of(const std::string &file) {
  try {
    return load_profile(file).value("description", "");
  } catch (const Error &error) {
    return std::string("is no profile: ") + error.what();
  }
}

void list_profiles() {
  std::set<std::string> shown;
  for (const std::string &folder : profile_folders()) {
    std::set<fs::path> files;
    for (const auto &entry : fs::directory_iterator(folder)) files.insert(entry.path());
    for (const fs::path &file : files) {
      if (file.extension() != ".json" || file.stem() == "schema") continue;
      if (!shown.insert(file.stem().string()).second) continue;
      fmt::print("  {:<22} {}\n", file.stem().string(), description_of(file.string()));
    }
  }
}

void list_columns() {
  for (const ColumnInfo &column : epoch_columns())
    fmt::print("  {:<24} {:<8} {}\n", column.name, column.type, column.doc);
}

// From the table that hakmem's build wrote: the harness knows no allocator's inside.
void list_gates() {
  const nlohmann::json table = read_gates();
  for (const char *kind : {"environment", "build"}) {
    fmt::print("{}:\n", kind);
    for (const nlohmann::json &gate : table.at("gates")) {
      if (gate.at("kind") != kind) continue;
      const auto of = [&](const char *key) { return gate.at(key).get<std::string>(); };
      const std::string unit =
          of("type") != "switch" && of("unit") != "name" ? " " + of("unit") : "";
      fmt::print("  {:<30} {}\n  {:<30} {}, default {}, {}{}; verdict {}, {}\n", of("name"),
                 of("doc"), "", of("type"), of("default"), of("range"), unit, of("verdict"),
                 of("note"));
    }
  }
  fmt::print("profiles (HAKMEM_PROFILE):\n");
  for (const nlohmann::json &profile : table.at("profiles")) {
    const auto of = [&](const char *key) { return profile.at(key).get<std::string>(); };
    fmt::print("  {:<30} {}\n  {:<30} {}\n", of("name"), of("doc"), of("alias"), of("settings"));
  }
}

struct Listing {
  const char *name;
  void (*print)();
};
constexpr Listing kListings[] = {
    {"allocators", list_allocators}, {"controls", list_controls}, {"workloads", list_the_workloads},
    {"profiles", list_profiles},     {"gates", list_gates},       {"columns", list_columns}};

void list(const std::string &what) {
  bool known = false;
  for (const Listing &listing : kListings) {
    // Without a choice: all but the gates and columns, which are long.
    const bool is_long = listing.print == list_columns || listing.print == list_gates;
    if (what.empty() ? is_long : what != listing.name) continue;
    if (what.empty()) fmt::print("{}:\n", listing.name);
    listing.print();
    known = true;
  }
  if (!known)
    throw Error("cannot list '" + what +
                "'; known: allocators, controls, workloads, profiles, gates, columns");
}

}  // namespace

void add_list_command(CLI::App *app, int *exit_code) {
  CLI::App *command = app->add_subcommand(
      "list", "Show what can be measured, hakmem's gates, and the CSV's columns");
  auto what = std::make_shared<std::string>();
  command->add_option("WHAT", *what,
                      "allocators, controls (planted faults), workloads, profiles, gates\n"
                      "(hakmem's settings) or columns (of epochs.csv); none: all but the last two");
  command->callback([=] {
    list(*what);
    *exit_code = 0;
  });
}

}  // namespace hakbench
