#include "cache/depot.h"

#include <cstring>

#include "config/config.h"
#include "os/os.h"

namespace hakmem {

void Depot::reset(void **storage) {
  if (storage_ != storage) writable_ = kChunkMagazines;
  storage_ = storage;
  made_ = kBinCount;
  spare_ = 0;
  held_bytes_ = 0;
  memset(full_, 0, sizeof full_);
  memset(count_, 0, sizeof count_);
  begin_age();
}

bool Depot::make_writable() {
  if (writable_ == kMagazines) return false;
  if (!os::g_kernel->set_access(magazine(writable_), kChunkBytes, true)) return false;
  writable_ = static_cast<Number>(writable_ + kChunkMagazines);
  return true;
}

void Depot::begin_age() {
  memcpy(idle_, count_, sizeof idle_);
  most_held_ = held_bytes_;
  most_bytes_ = static_cast<size_t>(knob(g_config.depot_kb)) * kKiB;
}

}  // namespace hakmem
