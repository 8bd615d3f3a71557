// locate.h - pointer -> what it is, for every pointer that a program may bring.
//
// Purpose:    the slow paths' answer to "whose is this": small, large, huge or foreign.
// Boundary:   safe for any address: it reads only memory that hakmem has mapped.
// Threads:    any. The answer stays right as long as the caller holds the block.
#ifndef HAKMEM_SLAB_LOCATE_H_
#define HAKMEM_SLAB_LOCATE_H_

#include "superslab/huge_block.h"
#include "superslab/superslab.h"

namespace hakmem {

// Returned in two registers.
struct Location {
  enum class What : uint8_t { kForeign, kInterior, kSmall, kLarge, kHuge };
  What what = What::kForeign;
  bool in_huge = false;
  union {
    Slab *slab = nullptr;
    HugeBlock *huge;  // in_huge
  };

  Location() = default;
  Location(What w, Slab *s) : what(w), slab(s) {}
  Location(What w, HugeBlock *h) : what(w), in_huge(true), huge(h) {}
};

// kInterior: inside a run or mapping of hakmem's, but not at the beginning of a block.
Location locate(const void *p);

// Bytes that a program may use in the block; the size class, the run or the mapping.
size_t usable_bytes(const Location &location);

// As locate(), for a block that the program says it holds: aborts with a report that names the
// `operation` if it is foreign, interior, or a large block that was freed. A small block that was
// freed is found by HAKMEM_CHECK=1 only; else the slab finds it when it goes home.
Location locate_live(const char *operation, const void *p);

}  // namespace hakmem

#endif  // HAKMEM_SLAB_LOCATE_H_
