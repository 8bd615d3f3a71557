// empty_heap.cc - the heap of a thread that has none: its tops look empty to malloc and full to free.
//
// Purpose:    malloc and free need no test of whether their thread has a heap: both find their slow
//             path by the tests that they make anyway.
// Owns:       t_heap, which points here until the thread adopts a heap.
// Invariants: read-only. Every top is the last slot of a magazine of NULLs.
// Threads:    shared by all.
#include "cache/heap.h"

namespace hakmem {
namespace {

// One magazine of NULLs. Its last slot is both an empty magazine's and a full one's top.
alignas(kMagazineBytes) constinit void *const g_sentinel[kMagazineSlots] = {};

struct EmptyHeap {
  constexpr EmptyHeap() {
    for (auto &top : heap.top) top = const_cast<void **>(&g_sentinel[kMagazineSlots - 1]);
  }
  Heap heap;
  std::atomic<uint8_t> owner_map[64] = {};  // only entry 0 is ever read
};
constinit const EmptyHeap g_empty_heap;

}  // namespace

constinit __thread Heap *t_heap __attribute__((tls_model("initial-exec"))) =
    const_cast<Heap *>(&g_empty_heap.heap);

const Heap *empty_heap() { return &g_empty_heap.heap; }

}  // namespace hakmem
