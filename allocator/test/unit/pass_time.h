// pass_time.h - time passes in a program that goes on allocating, so that its free memory ages.
#ifndef HAKMEM_TEST_UNIT_PASS_TIME_H_
#define HAKMEM_TEST_UNIT_PASS_TIME_H_

#include <cstdint>

#include "fake_kernel.h"
#include "superslab/page_heap.h"

namespace hakmem::test {

// Looks at the clock every 10 ms, as slow calls do.
inline void pass_ms(FakeKernel *kernel, uint64_t ms) {
  for (uint64_t passed = 0; passed < ms;) {
    const uint64_t step = ms - passed < 10 ? ms - passed : 10;
    kernel->advance_ms(step);
    page_heap::tick();
    passed += step;
  }
}

// Until an age begins.
inline void pass_to_next_age(FakeKernel *kernel) {
  for (const uint32_t age = page_heap::tick(); page_heap::tick() == age;) kernel->advance_ms(10);
}

}  // namespace hakmem::test

#endif  // HAKMEM_TEST_UNIT_PASS_TIME_H_
