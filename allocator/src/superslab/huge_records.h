// huge_records.h - the HugeBlocks themselves, outside the blocks, so that these begin on their mapping.
//
// Purpose:    memory for records, by the chunk, without an allocator.
// Owns:       chunks of records. They are never given back: there are as many as there were huge
//             blocks at a time.
// Boundary:   what is in a record is the caller's.
// Threads:    under the huge blocks' lock.
#ifndef HAKMEM_SUPERSLAB_HUGE_RECORDS_H_
#define HAKMEM_SUPERSLAB_HUGE_RECORDS_H_

#include "superslab/huge_block.h"

namespace hakmem::huge_records {

// Its fields are the caller's to fill in. NULL: no memory.
HugeBlock *take();
void put(HugeBlock *record);

// The chunks, linked, and the records in one. A record that is not taken has no base.
struct Chunk {
  static constexpr size_t kBytes = 16 * kKiB;
  Chunk *next;
  HugeBlock records[(kBytes - sizeof(void *)) / sizeof(HugeBlock)];
};
static_assert(sizeof(Chunk) <= Chunk::kBytes);
const Chunk *first_chunk();

}  // namespace hakmem::huge_records

#endif  // HAKMEM_SUPERSLAB_HUGE_RECORDS_H_
