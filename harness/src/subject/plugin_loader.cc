#include "subject/plugin_loader.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "subject/plugin_generic.h"
#include "subject/plugin_object.h"
#include "subject/plugin_sha256.h"

namespace hakbench {
namespace {

namespace fs = std::filesystem;

constexpr char kPluginSuffix[] = ".so";

struct Package {
  const char *plugin;
  const char *package;
};
constexpr std::array<Package, 3> kPackages = {{{"mimalloc", "libmimalloc-dev"},
                                               {"jemalloc", "libjemalloc-dev"},
                                               {"tcmalloc", "libgoogle-perftools-dev"}}};

std::string unknown_plugin(const std::string &name, const std::string &plugin_dir) {
  std::string known;
  for (const PluginSpec &spec : list_plugins(plugin_dir)) {
    known += (known.empty() ? "" : ", ") + spec.name;
  }
  std::string error = "no plugin '" + name + "' in " + plugin_dir +
                      " (there: " + (known.empty() ? "none" : known) + "); ";
  for (const Package &row : kPackages) {
    if (name == row.plugin) {
      return error + "install " + row.package + ", then configure and build again";
    }
  }
  return error + "name one of these, or a library as NAME=/path/to/lib.so";
}

// "/usr/lib/libjemalloc.so.2" -> "libjemalloc".
std::string name_from_path(const std::string &path) {
  const std::string file = fs::path(path).filename();
  return file.substr(0, file.find(kPluginSuffix));
}

bool is_elf(const std::string &path) {
  std::array<char, 4> magic{};
  std::ifstream file(path, std::ios::binary);
  file.read(magic.data(), magic.size());
  return file && std::memcmp(magic.data(), "\177ELF", magic.size()) == 0;
}

std::string with_mend(const std::string &loader_message) {
  if (loader_message.find("static TLS") != std::string::npos) {
    return loader_message +
           "; start the process with GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384";
  }
  if (loader_message.find("cannot open shared object file") != std::string::npos) {
    return loader_message + "; install the package that brings it";
  }
  return loader_message;
}

// Empty if the table can be used.
std::string fault_of(const allocator_plugin *table) {
  const std::string version = std::to_string(ALLOCATOR_PLUGIN_ABI_VERSION);
  const std::string rebuild = "; build the plugin with this allocator_plugin.h";
  if (table == nullptr) {
    return "refuses ABI version " + version + ", or its allocator is missing" + rebuild;
  }
  // Members up to abi_version exist in every version of the table.
  if (table->abi_version != ALLOCATOR_PLUGIN_ABI_VERSION) {
    return "speaks ABI version " + std::to_string(table->abi_version) + ", expected " + version +
           rebuild;
  }
  if (table->struct_size < ALLOCATOR_PLUGIN_FIRST_SIZE) {
    return "its table has " + std::to_string(table->struct_size) + " bytes, expected at least " +
           std::to_string(ALLOCATOR_PLUGIN_FIRST_SIZE) + rebuild;
  }
  if (table->malloc == nullptr || table->free == nullptr || table->name == nullptr) {
    return "its table lacks " +
           std::string(table->malloc == nullptr ? "malloc"
                       : table->free == nullptr ? "free"
                                                : "name") +
           "; every plugin must offer name, malloc and free";
  }
  return "";
}

void describe(LoadedPlugin *plugin) {
  const link_map *const object = object_of(reinterpret_cast<void *>(plugin->table->malloc));
  plugin->library_path = file_of(object);
  plugin->sha256 = sha256_of_file(plugin->library_path);
  plugin->build_id = build_id_of(object);
  plugin->link_kind = plugin->generic                        ? "generic adapter"
                      : is_control(*plugin->table)           ? "control"
                      : plugin->library_path == plugin->path ? "static in plugin"
                                                             : "shared library";
}

}  // namespace

std::vector<PluginSpec> list_plugins(const std::string &plugin_dir) {
  std::vector<PluginSpec> specs;
  std::error_code ignored;
  for (const auto &entry : fs::directory_iterator(plugin_dir, ignored)) {
    if (entry.path().extension() == kPluginSuffix) {
      specs.push_back({entry.path().stem(), entry.path()});
    }
  }
  std::sort(specs.begin(), specs.end(),
            [](const PluginSpec &a, const PluginSpec &b) { return a.name < b.name; });
  return specs;
}

bool resolve_plugin(const std::string &text, const std::string &plugin_dir, PluginSpec *out,
                    std::string *error) {
  const size_t equals = text.find('=');
  const size_t slash = text.find('/');
  if (equals != std::string::npos && equals < slash) {
    *out = {text.substr(0, equals), text.substr(equals + 1)};
  } else if (slash != std::string::npos) {
    *out = {name_from_path(text), text};
  } else {
    *out = {text, (fs::path(plugin_dir) / (text + kPluginSuffix)).string()};
    if (text.empty() || !fs::exists(out->path)) {
      *error = unknown_plugin(text, plugin_dir);
      return false;
    }
  }
  if (out->name.empty() || out->path.empty()) {
    *error = "'" + text + "' is no plugin: expected NAME, NAME=/path/to/lib.so or /path/to/lib.so";
    return false;
  }
  std::error_code why;
  if (!fs::exists(out->path, why)) {
    *error = "plugin " + out->name + ": no such file: " + out->path + "; check the path";
    return false;
  }
  return true;
}

bool is_control(const allocator_plugin &table) {
  return table.build_config != nullptr &&
         std::string_view(table.build_config).substr(0, 7) == "control";
}

bool load_plugin(const PluginSpec &spec, LoadedPlugin *out, std::string *error) {
  const auto fail = [&](const std::string &why) {
    *error = "plugin " + spec.name + " (" + spec.path + "): " + why;
    return false;
  };
  char path[PATH_MAX];
  if (realpath(spec.path.c_str(), path) == nullptr) {
    return fail(std::string(std::strerror(errno)) + "; check the path");
  }
  if (!is_elf(path)) return fail("is not a shared object (no ELF file); name a .so");
  void *const handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return fail("cannot be loaded: " + with_mend(dlerror()));

  *out = LoadedPlugin{};
  out->path = path;
  const auto query = reinterpret_cast<allocator_plugin_query_fn>(
      own_symbol(handle, ALLOCATOR_PLUGIN_QUERY_SYMBOL));
  if (query != nullptr) {
    out->table = query(ALLOCATOR_PLUGIN_ABI_VERSION);
    const std::string fault = fault_of(out->table);
    if (!fault.empty()) return fail(fault);
  } else {
    std::shared_ptr<GenericTable> wrapped = wrap_malloc_library(handle, spec.name);
    if (wrapped == nullptr) {
      return fail("has no " ALLOCATOR_PLUGIN_QUERY_SYMBOL " and defines no malloc with its free (" +
                  known_malloc_names() + "); name an allocator's library");
    }
    out->generic = true;
    out->table = &wrapped->table;
    out->storage = std::move(wrapped);
  }
  describe(out);
  return true;
}

allocator_plugin whole_table(const allocator_plugin &table) {
  allocator_plugin whole = {};
  memcpy(&whole, &table, std::min(table.struct_size, sizeof whole));
  return whole;
}

namespace {

bool is_hakmem(const allocator_plugin &table) {
  return std::string_view(table.name).substr(0, 6) == "hakmem";
}

std::string without_settings(const std::string &init_json) {
  return kTakesNoSettings + (", but was given " + init_json) + "; leave them out";
}

// What the codes of plugins mean, where the C library's words would mislead.
std::string why_refused(const allocator_plugin &table, int code) {
  if (code == ENOENT)
    return "it knows no such setting, or a file that one names is missing; `hakbench list gates` "
           "shows hakmem's settings";
  if (code == EINVAL)
    return "it takes no such value; `hakbench list gates` shows what hakmem takes";
  if (code == ENOTSUP && is_control(table))
    return "the allocator that it wraps has no such setting, or lacks what it takes; leave it out, "
           "or wrap another with --init of=NAME";
  if (code == ENOTSUP) return "this build of it has no such setting; hakmem_observe may have it";
  return std::strerror(code);
}

}  // namespace

bool init_plugin(const LoadedPlugin &plugin, const std::string &init_json, std::string *error) {
  const bool takes_settings = plugin.table->init != nullptr && !plugin.generic;
  if (!takes_settings && init_json != "{}") {
    *error = without_settings(init_json);
    return false;
  }
  if (plugin.table->init == nullptr) return true;
  const int code = plugin.table->init(init_json.c_str());
  if (code == 0) return true;
  // Of other allocators' plugins it is the code of all that take none (plugins/settings.h).
  const allocator_plugin &table = *plugin.table;
  if (code == ENOTSUP && !is_hakmem(table) && !is_control(table)) {
    *error = without_settings(init_json);
    return false;
  }
  *error = "init refused the settings " + init_json + ": " + why_refused(table, code);
  return false;
}

}  // namespace hakbench
