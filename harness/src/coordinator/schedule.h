// schedule.h - in which order the subjects take their turns.
//
// Purpose:    turn a seed into the order of every block, the same on every machine.
// Invariants: a block is a permutation of the subjects followed by its mirror image (ABBA, BAAB,
//             BCAACB ...), so each subject runs twice and a linear drift cancels within the block.
//             Blocks come in pairs, a drawn permutation and its reverse, so that each pair gives every
//             subject the outer and the inner seats equally often (for two subjects).
//             std::mt19937_64 is specified to the bit; std::shuffle and the distributions are not, so
//             the mapping from random numbers to permutations is spelled out here.
#ifndef HAKBENCH_COORDINATOR_SCHEDULE_H_
#define HAKBENCH_COORDINATOR_SCHEDULE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace hakbench {

struct Block {
  std::vector<uint32_t> turns;  // index of the subject in each slot
  std::string order;            // the same in labels: "ABBA"
};

// The blocks of one launch. Launches draw independently: the stream depends on (seed, launch).
std::vector<Block> schedule_launch(uint64_t seed, uint32_t launch, uint32_t blocks,
                                   uint32_t subjects);

// A soak's turns, for ever: the subjects in rotation. If `beside_every` is not 0, the last subject gets
// only every so many-th turn, and the others share the rest.
class SoakRotation {
 public:
  SoakRotation(uint32_t subjects, uint32_t beside_every)
      : subjects_(subjects), beside_every_(beside_every) {}

  uint32_t subject(uint64_t number) const;
  uint64_t round() const;  // within the first so many turns each subject gets one

 private:
  uint32_t subjects_;
  uint32_t beside_every_;  // 0, or at least 2
};

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_SCHEDULE_H_
