// plugin_loader.h - from what a user typed to a callable allocator table.
//
// Purpose: resolve a plugin's name, load its shared object, and wrap a malloc library that is no
//   plugin (the generic adapter).
// Owns: the dlopen handle, for the life of the process: an allocator is never unloaded, because its
//   blocks and thread destructors would outlive its code.
// Boundary: the only caller of dlopen. Only a subject process loads; the coordinator resolves.
// Invariants: a table that load_plugin hands out has malloc and free, speaks our ABI version and is
//   at least as large as the first version's; of a later member ask whole_table().
// Threads: call from one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "allocator_plugin.h"

namespace hakbench {

struct PluginSpec {
  std::string name;
  std::string path;
};

// `text` is "hakmem" (a file of plugin_dir), "name=/path.so" or "/path.so". Checks that the file
// exists, loads nothing. For an unknown name *error lists what is there and which package brings
// it.
bool resolve_plugin(const std::string &text, const std::string &plugin_dir, PluginSpec *out,
                    std::string *error);

// The plugins of `plugin_dir`, by name. Empty if the directory can't be read.
std::vector<PluginSpec> list_plugins(const std::string &plugin_dir);

struct LoadedPlugin {
  const allocator_plugin *table = nullptr;
  std::string path;          // of the file that was loaded
  std::string library_path;  // of the file that holds table->malloc
  std::string sha256;        // of library_path, lower-case hex; empty if it can't be read
  std::string build_id;      // of library_path, lower-case hex; empty if it has none
  std::string link_kind;     // "static in plugin", "shared library", "generic adapter", "control"
  bool generic = false;      // wrapped by the generic adapter

  std::shared_ptr<const void> storage;  // of `table`, if generic
};

// A planted fault around another plugin, by its own account. After init, build_config says "control:
// wraps NAME VERSION; ...".
bool is_control(const allocator_plugin &table);

// A copy in which members that the plugin's version of the table lacks are NULL.
allocator_plugin whole_table(const allocator_plugin &table);

// RTLD_NOW|RTLD_LOCAL. Does not call init.
bool load_plugin(const PluginSpec &spec, LoadedPlugin *out, std::string *error);

// In the error of an allocator that has no settings at all; what was given and the mend follow.
inline constexpr char kTakesNoSettings[] = "takes no settings";

// Calls init with the settings, a JSON object. False if the plugin refuses them, or if there are
// settings and nothing that could take them: a setting is never ignored.
bool init_plugin(const LoadedPlugin &plugin, const std::string &init_json, std::string *error);

}  // namespace hakbench
