#include "subject/plugin_object.h"

#include <dlfcn.h>
#include <elf.h>
#include <gnu/lib-names.h>

#include <climits>
#include <cstring>

namespace hakbench {
namespace {

constexpr size_t kNoteAlignment = 4;

size_t aligned_note_size(size_t size) {
  return (size + kNoteAlignment - 1) & ~(kNoteAlignment - 1);
}

std::string to_hex(const unsigned char *bytes, size_t size) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (size_t i = 0; i < size; ++i) {
    hex += kHex[bytes[i] >> 4];
    hex += kHex[bytes[i] & 0xf];
  }
  return hex;
}

std::string build_id_in(const unsigned char *at, size_t size) {
  const unsigned char *const end = at + size;
  while (at + sizeof(ElfW(Nhdr)) <= end) {
    ElfW(Nhdr) note;
    std::memcpy(&note, at, sizeof note);
    const unsigned char *const name = at + sizeof note;
    const unsigned char *const content = name + aligned_note_size(note.n_namesz);
    if (content + note.n_descsz > end) break;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
        std::memcmp(name, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0) {
      return to_hex(content, note.n_descsz);
    }
    at = content + aligned_note_size(note.n_descsz);
  }
  return "";
}

struct BuildIdSearch {
  ElfW(Addr) base;
  const ElfW(Dyn) * dynamic;
  std::string build_id;
};

int visit_object(dl_phdr_info *info, size_t, void *argument) {
  auto *const search = static_cast<BuildIdSearch *>(argument);
  if (info->dlpi_addr != search->base) return 0;
  bool is_it = false;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = info->dlpi_phdr[i];
    const auto *const start =
        reinterpret_cast<const unsigned char *>(info->dlpi_addr + segment.p_vaddr);
    if (segment.p_type == PT_DYNAMIC) {
      is_it = reinterpret_cast<const ElfW(Dyn) *>(start) == search->dynamic;
    }
    if (segment.p_type == PT_NOTE && search->build_id.empty()) {
      search->build_id = build_id_in(start, segment.p_memsz);
    }
  }
  if (is_it) return 1;
  search->build_id.clear();
  return 0;
}

}  // namespace

const link_map *object_of(const void *address) {
  Dl_info info;
  link_map *object = nullptr;
  if (dladdr1(address, &info, reinterpret_cast<void **>(&object), RTLD_DL_LINKMAP) == 0) {
    return nullptr;
  }
  return object;
}

const link_map *object_of_handle(void *handle) {
  link_map *object = nullptr;
  return dlinfo(handle, RTLD_DI_LINKMAP, &object) == 0 ? object : nullptr;
}

void *own_symbol(void *handle, const char *name) {
  void *const symbol = dlsym(handle, name);
  return symbol != nullptr && object_of(symbol) == object_of_handle(handle) ? symbol : nullptr;
}

std::string file_of(const link_map *object) {
  if (object == nullptr) return "";
  char path[PATH_MAX];
  const char *const name = object->l_name[0] != '\0' ? object->l_name : "/proc/self/exe";
  return realpath(name, path) != nullptr ? path : object->l_name;
}

std::string build_id_of(const link_map *object) {
  if (object == nullptr) return "";
  BuildIdSearch search{object->l_addr, object->l_ld, ""};
  dl_iterate_phdr(&visit_object, &search);
  return search.build_id;
}

void *libc_handle() { return dlopen(LIBC_SO, RTLD_NOW | RTLD_NOLOAD); }

}  // namespace hakbench
