#include "subject/plugin_check.h"

#include <dlfcn.h>
#include <malloc.h>

#include <array>
#include <cstring>
#include <string_view>
#include <thread>

#include "subject/plugin_contract.h"
#include "subject/plugin_generic.h"
#include "subject/plugin_object.h"

namespace hakbench {
namespace {

template <class Function>
const void *as_address(Function *function) {
  return reinterpret_cast<const void *>(function);
}

bool is_allocator(const allocator_plugin &table) {
  return table.build_config == nullptr ||
         std::strstr(table.build_config, "not-an-allocator") == nullptr;
}

// Of a control: "hakmem 0.1.0". Empty if it does not say (init has not been called).
std::string wrapped_by(const allocator_plugin &control) {
  constexpr std::string_view kBegin = "control: wraps ";
  const std::string_view text = control.build_config;
  if (text.substr(0, kBegin.size()) != kBegin) return "";
  return std::string(text.substr(kBegin.size(), text.find(';') - kBegin.size()));
}

// Every timed pointer lies inside the file that holds malloc.
CheckResult check_pointers(const LoadedPlugin &plugin) {
  const allocator_plugin &table = *plugin.table;
  struct Pointer {
    const char *name;
    const void *address;
  };
  const std::array<Pointer, 7> pointers = {{{"malloc", as_address(table.malloc)},
                                            {"calloc", as_address(table.calloc)},
                                            {"realloc", as_address(table.realloc)},
                                            {"aligned_alloc", as_address(table.aligned_alloc)},
                                            {"free", as_address(table.free)},
                                            {"free_sized", as_address(table.free_sized)},
                                            {"usable_size", as_address(table.usable_size)}}};
  const link_map *const library = object_of(pointers[0].address);
  if (library == nullptr) return {"pointers", false, "malloc lies in no loaded library"};
  for (const Pointer &pointer : pointers) {
    if (pointer.address == nullptr) continue;
    const link_map *const holder = object_of(pointer.address);
    if (holder == library) continue;
    return {"pointers", false,
            std::string(pointer.name) + " lies in " +
                (holder == nullptr ? "no loaded library" : file_of(holder)) + ", but malloc in " +
                plugin.library_path};
  }
  return {"pointers", true, "all in " + plugin.library_path};
}

// A malloc in the plugin's own file while the plugin also brings an allocator's library is a
// wrapper, which would charge that allocator for a second call.
CheckResult check_no_wrapper(const LoadedPlugin &plugin) {
  if (is_control(*plugin.table)) {
    const std::string wrapped = wrapped_by(*plugin.table);
    return {"no_wrapper", !wrapped.empty(),
            wrapped.empty()
                ? "a control that does not say what it wraps; init must set build_config"
                : "a control: wraps " + wrapped + " on purpose"};
  }
  void *const handle = dlopen(plugin.path.c_str(), RTLD_NOW | RTLD_NOLOAD);
  void *const other = handle == nullptr ? nullptr : find_any_malloc(handle);
  const link_map *const holder = other == nullptr ? nullptr : object_of(other);
  if (holder != nullptr && holder != object_of(as_address(plugin.table->malloc)) &&
      plugin.library_path == plugin.path) {
    return {"no_wrapper", false,
            "malloc lies in the plugin itself, but the plugin brings the allocator " +
                file_of(holder) + "; put that library's own functions into the table"};
  }
  return {"no_wrapper", true, plugin.link_kind};
}

// Do calls really enter the library? The C library's own books must not move, unless it is the one
// that is tested, or that a control wraps; then they must.
CheckResult check_canary(const LoadedPlugin &plugin) {
  constexpr size_t kBytes = size_t{1} << 20;
  void *const libc = libc_handle();
  const auto books = reinterpret_cast<struct mallinfo2 (*)()>(dlsym(libc, "mallinfo2"));
  if (books == nullptr) return {"canary", false, "the C library has no mallinfo2 to compare with"};
  const bool is_libc =
      object_of(as_address(plugin.table->malloc)) == object_of_handle(libc) ||
      (is_control(*plugin.table) && wrapped_by(*plugin.table).rfind("glibc ", 0) == 0);

  const auto in_use = [&] {
    const struct mallinfo2 info = books();
    return info.uordblks + info.hblkhd;
  };
  const size_t before = in_use();
  void *const block = plugin.table->malloc(kBytes);
  const size_t after = in_use();
  plugin.table->free(block);

  if (block == nullptr) return {"canary", false, "malloc of 1 MiB returned NULL"};
  const bool entered_libc = after >= before + kBytes;
  if (entered_libc != is_libc) {
    return {"canary", false,
            is_libc ? "the C library's books did not see 1 MiB allocated"
                    : "1 MiB came from the C library: calls do not enter " + plugin.library_path};
  }
  return {"canary", true,
          is_libc ? "the C library's books saw the block" : "the C library's books did not move"};
}

void run_contract(const allocator_plugin &table, const CheckStarting &starting,
                  std::vector<CheckResult> *results) {
  for (const ContractTest &test : contract_tests()) {
    if (!test.offered(table)) continue;
    starting(test.name);
    std::string seen = "yes";
    const std::string fault = test.run(table, &seen);
    results->push_back({test.name, fault.empty(), fault.empty() ? seen : fault});
  }
}

}  // namespace

std::vector<CheckResult> check_plugin(const LoadedPlugin &plugin, const CheckStarting &starting) {
  const allocator_plugin &table = *plugin.table;
  std::vector<CheckResult> results = {check_pointers(plugin), check_no_wrapper(plugin)};
  // Functions that do not belong together would crash in the tests that follow.
  if (!is_allocator(table) || !results[0].ok) return results;
  std::thread worker([&] {
    if (table.thread_begin != nullptr) table.thread_begin();
    starting("canary");
    results.push_back(check_canary(plugin));
    run_contract(table, starting, &results);
    if (table.thread_end != nullptr) table.thread_end();
  });
  worker.join();
  return results;
}

}  // namespace hakbench
