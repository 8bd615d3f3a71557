// mapped_array.h - memory that no allocator knows.
//
// Purpose:    large tables of the harness's own, outside every heap.
// Owns:       its mapping.
// Invariants: zeroed and resident from map() on; T is trivial.
// Threads:    as for a plain array.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <utility>

namespace hakbench {

template <class T>
class MappedArray {
 public:
  MappedArray() = default;
  MappedArray(MappedArray &&other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedArray(const MappedArray &) = delete;
  MappedArray &operator=(const MappedArray &) = delete;
  ~MappedArray() {
    if (data_ != nullptr) munmap(data_, size_ * sizeof(T));
  }

  // Once. False if the kernel refuses. An empty array maps nothing.
  [[nodiscard]] bool map(size_t size) {
    if (size == 0) return true;
    void *const memory = mmap(nullptr, size * sizeof(T), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) return false;
    data_ = static_cast<T *>(memory);
    size_ = size;
    return true;
  }

  T *data() const { return data_; }
  size_t size() const { return size_; }
  T &operator[](size_t i) const { return data_[i]; }

 private:
  T *data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace hakbench
