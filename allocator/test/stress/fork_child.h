// fork_child.h - fork out of a threaded program and use the allocator in the child.
//
// Purpose: the child verifies and frees blocks from before the fork, allocates, forks again, exits
// 0.
//   A lock that some other thread held at the moment of the fork shows as a child that hangs.
// Boundary: hakmem's public API; the child makes no other call that fork forbids it.
// Threads: any thread may call it; `blocks` must be its own.
#pragma once

#include <cstdint>
#include <span>

#include "support/block.h"

namespace hakmem_test {

// Returns when the child has ended well; fails otherwise, or after half a minute.
void fork_and_check(std::span<const Block> blocks, uint64_t seed);

}  // namespace hakmem_test
