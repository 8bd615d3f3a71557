// release_clock.h - the time by which free memory ages: that in which the program allocates.
//
// Purpose:    a program that pauses finds the pages that it had freed when it goes on. For nobody
//             calls while it sleeps, so it holds them through the pause anyway, and if they went as
//             it wakes, it would pay for each page again. The price: one that only wakes for a
//             moment now and then gives memory back after some four such moments, not two.
// Boundary:   says the time; page_heap.cc decides what that means.
// Invariants: never goes back. Between two calls it goes on as the kernel's clock does, but by no
//             more than half an age (a quarter of the purge delay) or 16 ms.
// Threads:    any; no lock.
#ifndef HAKMEM_SUPERSLAB_RELEASE_CLOCK_H_
#define HAKMEM_SUPERSLAB_RELEASE_CLOCK_H_

#include <cstdint>

namespace hakmem::release_clock {

// Milliseconds since some start.
uint64_t now_ms();

}  // namespace hakmem::release_clock

#endif  // HAKMEM_SUPERSLAB_RELEASE_CLOCK_H_
