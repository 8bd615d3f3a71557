// fake_kernel.h - the kernel that tests put in place of Linux.
//
// Purpose:    a clock that the test moves, counted calls, and any call made to fail.
// Boundary:   memory is real (it calls the real kernel); only the answers are bent. As kernels before
//             6.17, it moves one mapping at a time.
#ifndef HAKMEM_TEST_UNIT_FAKE_KERNEL_H_
#define HAKMEM_TEST_UNIT_FAKE_KERNEL_H_

#include <cstddef>
#include <cstdint>

#include "os/os.h"

namespace hakmem::test {

// In force from construction to destruction; one at a time.
class FakeKernel {
 public:
  FakeKernel();
  ~FakeKernel();
  FakeKernel(const FakeKernel &) = delete;
  FakeKernel &operator=(const FakeKernel &) = delete;

  void advance_ms(uint64_t ms);
  // The n-th call from now (0 is the next) of those that can fail, fails; and all after it if
  // `and_all_after`.
  void fail_call(uint64_t n, bool and_all_after = false);
  void fail_none();
  // Every discard fails, as under a filter that denies madvise.
  void deny_discard(bool deny);
  // MADV_FREE fails, and nothing else.
  void refuse_lazy_discard(bool refuse);
  // When a move fails, another thread has got the place of the target.
  void lose_targets(bool lose);
  // Takes the other thread's mappings away. Returns how many hakmem had unmapped, in part or all.
  size_t unmap_lost_targets();

  uint64_t calls() const;  // of those that can fail
  uint64_t discards() const;
  uint64_t lazy_discards() const;  // asked for
  uint64_t populates() const;
  uint64_t maps() const;
  struct Advice {
    uint64_t wanted, refused;
  };
  Advice advice() const;  // on huge pages
};

}  // namespace hakmem::test

#endif  // HAKMEM_TEST_UNIT_FAKE_KERNEL_H_
