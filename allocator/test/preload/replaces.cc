// replaces.cc - a C++ program that brings the basic operators new and delete, and leaves all other
// forms to the library.
//
// Purpose: the standard's other forms call the basic ones. Where they do not, a block with the
//   program's header goes to somebody who knows none, or the other way round. Prints the same text
//   whatever the allocator.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <string>
#include <vector>

namespace {

enum class Kind : uint64_t { kOne = 0x6f6e65, kArray = 0x61727261, kAligned = 0x77696465 };

struct Header {
  Kind kind;
  void *start;
};

size_t g_live = 0;

void *allocate(size_t bytes, size_t alignment, Kind kind) {
  char *start = static_cast<char *>(std::malloc(bytes + alignment + sizeof(Header)));
  if (start == nullptr) throw std::bad_alloc();
  const uintptr_t behind = reinterpret_cast<uintptr_t>(start) + sizeof(Header) + alignment - 1;
  char *block = start + (behind / alignment * alignment - reinterpret_cast<uintptr_t>(start));
  reinterpret_cast<Header *>(block)[-1] = {kind, start};
  ++g_live;
  return block;
}

void release(void *block, Kind kind) {
  if (block == nullptr) return;
  Header &header = static_cast<Header *>(block)[-1];
  if (header.kind != kind) {
    std::printf("a block that another operator gave\n");
    std::exit(2);
  }
  header.kind = {};
  std::free(header.start);
  --g_live;
}

}  // namespace

void *operator new(size_t bytes) { return allocate(bytes, 16, Kind::kOne); }
void operator delete(void *block) noexcept { release(block, Kind::kOne); }
void *operator new[](size_t bytes) { return allocate(bytes, 16, Kind::kArray); }
void operator delete[](void *block) noexcept { release(block, Kind::kArray); }
void *operator new(size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment), Kind::kAligned);
}
void operator delete(void *block, std::align_val_t) noexcept { release(block, Kind::kAligned); }

namespace {

void every_form() {
  constexpr std::align_val_t kWide{128};
  const std::nothrow_t &nothrow = std::nothrow;
  operator delete (operator new(100), size_t{100});
  operator delete(operator new(100, nothrow), nothrow);
  operator delete[](operator new[](100), size_t{100});
  operator delete[](operator new[](100, nothrow), nothrow);
  operator delete (operator new(100, kWide), size_t{100}, kWide);
  operator delete(operator new(100, kWide, nothrow), kWide, nothrow);
  operator delete[](operator new[](100, kWide), size_t{100}, kWide);
  operator delete[](operator new[](100, kWide, nothrow), kWide, nothrow);
  const size_t volatile too_large = SIZE_MAX / 2;
  std::printf("%d\n", operator new(too_large, nothrow) == nullptr);
}

}  // namespace

int main() {
  const size_t before = g_live;
  every_form();
  std::printf("%zu blocks are left\n", g_live - before);
  {
    std::map<std::string, std::vector<std::string>> map;
    for (int i = 0; i < 1'000; ++i)
      map[std::to_string(i % 50)].push_back(std::string(static_cast<size_t>(i % 90), 'x'));
    std::vector<std::string> &words = map["7"];
    std::stable_sort(words.begin(), words.end());  // its buffer comes from new(nothrow)
    std::printf("%zu %zu blocks\n", words.size(), g_live - before);
  }
  std::printf("%zu blocks are left\n", g_live - before);
}
