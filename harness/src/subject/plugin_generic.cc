#include "subject/plugin_generic.h"

#include <dlfcn.h>

#include <array>

#include "subject/plugin_object.h"

namespace hakbench {
namespace {

// The names of one family of functions; NULL where the family has none.
struct Family {
  const char *malloc_name;
  const char *calloc_name;
  const char *realloc_name;
  const char *aligned_alloc_name;
  const char *free_name;
  const char *free_sized_name;
  const char *usable_size_name;
};

// In this order: a library with a prefix often defines plain malloc too, for preloading.
constexpr std::array<Family, 6> kFamilies = {{
    {"mi_malloc", "mi_calloc", "mi_realloc", "mi_aligned_alloc", "mi_free", "mi_free_size",
     "mi_usable_size"},
    {"rpmalloc", "rpcalloc", "rprealloc", "rpaligned_alloc", "rpfree", nullptr,
     "rpmalloc_usable_size"},
    {"je_malloc", "je_calloc", "je_realloc", "je_aligned_alloc", "je_free", nullptr,
     "je_malloc_usable_size"},
    {"tc_malloc", "tc_calloc", "tc_realloc", "tc_memalign", "tc_free", "tc_free_sized",
     "tc_malloc_size"},
    {"sn_malloc", "sn_calloc", "sn_realloc", "sn_aligned_alloc", "sn_free", nullptr,
     "sn_malloc_usable_size"},
    {"malloc", "calloc", "realloc", "aligned_alloc", "free", "free_sized", "malloc_usable_size"},
}};

template <class Function>
void take(void *handle, const char *name, Function *out) {
  *out = name == nullptr ? nullptr : reinterpret_cast<Function>(own_symbol(handle, name));
}

// rpmalloc_initialize takes nothing, or a pointer to an interface that may be NULL, and
// rpmalloc_thread_finalize takes nothing or "release caches", depending on the release. An argument
// too many is ignored, so both are called with one.
int (*rp_initialize)(void *memory_interface) = nullptr;
void (*rp_thread_finalize)(int release_caches) = nullptr;
int rp_init(const char *) { return rp_initialize(nullptr); }
void rp_thread_end() { rp_thread_finalize(1); }

void take_rpmalloc_lifecycle(void *handle, allocator_plugin *table) {
  take(handle, "rpmalloc_initialize", &rp_initialize);
  take(handle, "rpmalloc_thread_initialize", &table->thread_begin);
  take(handle, "rpmalloc_thread_finalize", &rp_thread_finalize);
  if (rp_initialize != nullptr) table->init = &rp_init;
  if (rp_thread_finalize != nullptr) table->thread_end = &rp_thread_end;
}

}  // namespace

std::unique_ptr<GenericTable> wrap_malloc_library(void *handle, const std::string &name) {
  for (const Family &family : kFamilies) {
    auto wrapped = std::make_unique<GenericTable>();
    allocator_plugin &table = wrapped->table;
    take(handle, family.malloc_name, &table.malloc);
    take(handle, family.free_name, &table.free);
    if (table.malloc == nullptr || table.free == nullptr) continue;
    take(handle, family.calloc_name, &table.calloc);
    take(handle, family.realloc_name, &table.realloc);
    take(handle, family.aligned_alloc_name, &table.aligned_alloc);
    take(handle, family.free_sized_name, &table.free_sized);
    take(handle, family.usable_size_name, &table.usable_size);
    take_rpmalloc_lifecycle(handle, &table);
    wrapped->name = name;
    wrapped->build_config = "generic adapter over " + std::string(family.malloc_name);
    table.struct_size = sizeof table;
    table.abi_version = ALLOCATOR_PLUGIN_ABI_VERSION;
    table.name = wrapped->name.c_str();
    table.version = "unknown";
    table.build_config = wrapped->build_config.c_str();
    return wrapped;
  }
  return nullptr;
}

std::string known_malloc_names() {
  std::string names;
  for (const Family &family : kFamilies) {
    names += (names.empty() ? "" : ", ") + std::string(family.malloc_name);
  }
  return names;
}

void *find_any_malloc(void *handle) {
  const link_map *const libc = object_of_handle(libc_handle());
  for (const Family &family : kFamilies) {
    void *const symbol = dlsym(handle, family.malloc_name);
    if (symbol != nullptr && object_of(symbol) != libc) return symbol;
  }
  return nullptr;
}

}  // namespace hakbench
