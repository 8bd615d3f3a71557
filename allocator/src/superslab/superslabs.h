// superslabs.h - which superslabs there are, and address space for them.
//
// Purpose:    slabs come from the kernel by the superslab, and their address space goes back by it.
// Owns:       the list of all superslabs.
// Boundary:   the page heap says when. A superslab's free slabs stand in `runs` from add() on, and are
//             taken out of it before their address space goes.
// Invariants: each superslab of the list is published in the address window.
// Threads:    under the page heap's lock.
#ifndef HAKMEM_SUPERSLAB_SUPERSLABS_H_
#define HAKMEM_SUPERSLAB_SUPERSLABS_H_

#include <cstddef>

#include "superslab/free_runs.h"
#include "superslab/superslab.h"

namespace hakmem {

class Superslabs {
 public:
  constexpr Superslabs() = default;

  // Linked by `next`; NULL: there is none.
  Superslab *first() const { return first_; }
  size_t count() const { return count_; }
  size_t mapped_bytes() const { return mapped_bytes_; }

  // Maps one with a free run of `min_slabs` at least, smaller than usual if memory is short. False: there
  // is no memory.
  bool add(FreeRuns *runs, size_t min_slabs);

  // Of what is free gives all address space back: wholly free superslabs, and the ends of the others.
  // Whether there was any.
  bool give_back_free(FreeRuns *runs);
  // Gives those back that are wholly free. Whether there were any.
  bool unmap_free(FreeRuns *runs);
  // Gives those back, but for one, that are wholly free and of which nothing is resident but metadata.
  void unmap_aged(FreeRuns *runs);

 private:
  void link(Superslab *superslab);
  void unlink(Superslab *superslab);
  bool unmap(FreeRuns *runs, Superslab *superslab);
  bool cut(FreeRuns *runs, Superslab *superslab);

  Superslab *first_ = nullptr;
  size_t count_ = 0;
  size_t mapped_bytes_ = 0;
};

}  // namespace hakmem

#endif  // HAKMEM_SUPERSLAB_SUPERSLABS_H_
