#include "superslab/huge_records.h"

#include <iterator>

#include "os/os.h"

namespace hakmem::huge_records {
namespace {

constinit HugeBlock *g_unused = nullptr;
constinit Chunk *g_chunks = nullptr;

}  // namespace

HugeBlock *take() {
  if (g_unused == nullptr) {
    bool taken = false;
    auto *chunk = static_cast<Chunk *>(os::g_kernel->map(nullptr, Chunk::kBytes, &taken));
    if (chunk == nullptr) return nullptr;
    chunk->next = g_chunks;
    g_chunks = chunk;
    for (size_t i = std::size(chunk->records); i-- > 0;) {
      chunk->records[i].next = g_unused;
      g_unused = &chunk->records[i];
    }
  }
  HugeBlock *record = g_unused;
  g_unused = record->next;
  return record;
}

void put(HugeBlock *record) {
  record->base = nullptr;
  record->usable_bytes = 0;
  record->next = g_unused;
  g_unused = record;
}

const Chunk *first_chunk() { return g_chunks; }

}  // namespace hakmem::huge_records
