// slab_guard.h - the last page of a small slab, given up for a guard (the hardened variant).
//
// Purpose:    an overrun stops at the end of its slab.
// Boundary:   Slab::guarded and Slab::capacity of small slabs.
// Threads:    under the lock of the slab's owner.
#ifndef HAKMEM_SLAB_SLAB_GUARD_H_
#define HAKMEM_SLAB_SLAB_GUARD_H_

#include "superslab/superslab.h"

namespace hakmem::slab_guard {

// For a new slab with its class's capacity. The kernel may refuse: the slab then keeps all of it.
void close(Slab *slab);
// For a slab that goes back to the page heap.
void open(Slab *slab);

}  // namespace hakmem::slab_guard

#endif  // HAKMEM_SLAB_SLAB_GUARD_H_
