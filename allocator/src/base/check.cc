#include "base/check.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

namespace hakmem {
namespace {

// A line of text under construction in a fixed buffer; what does not fit is cut.
class Line {
 public:
  Line() { text("hakmem: "); }

  Line &text(const char *s) {
    while (s != nullptr && *s != '\0' && length_ < kCapacity - 1) buffer_[length_++] = *s++;
    return *this;
  }

  Line &number(uint64_t value, unsigned base = 10) {
    char digits[20];
    size_t n = 0;
    do {
      digits[n++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    while (n > 0 && length_ < kCapacity - 1) buffer_[length_++] = digits[--n];
    return *this;
  }

  Line &pointer(const void *p) { return text("0x").number(reinterpret_cast<uintptr_t>(p), 16); }

  void print() {
    buffer_[length_++] = '\n';
    // Standard error may be closed or full; there is nobody left to tell, least of all a program
    // whose malloc succeeded.
    const int saved_errno = errno;
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, buffer_, length_);
    errno = saved_errno;
  }

  [[noreturn]] void print_and_abort() {
    print();
    abort();
  }

 private:
  static constexpr size_t kCapacity = 256;
  char buffer_[kCapacity + 1];
  size_t length_ = 0;
};

}  // namespace

void report_double_free(const void *block, size_t class_bytes) {
  Line line;
  line.text("double free of ").pointer(block).text(" (size class ");
  if (class_bytes == kClassNotKnown) {
    line.text("not known");
  } else {
    line.number(class_bytes);
  }
  line.text(")").print_and_abort();
}

void report_foreign_pointer(const char *operation, const void *pointer) {
  Line()
      .text(operation)
      .text(" of ")
      .pointer(pointer)
      .text(", which hakmem did not hand out or which was freed before")
      .print_and_abort();
}

void report_interior_pointer(const char *operation, const void *pointer, size_t class_bytes) {
  Line()
      .text(operation)
      .text(" of interior pointer ")
      .pointer(pointer)
      .text(" (size class ")
      .number(class_bytes)
      .text(")")
      .print_and_abort();
}

void report_size_mismatch(const void *block, size_t claimed_bytes, size_t class_bytes) {
  Line()
      .text("free_sized(")
      .pointer(block)
      .text(", ")
      .number(claimed_bytes)
      .text(") of a block of size class ")
      .number(class_bytes)
      .print_and_abort();
}

void report_heap_overflow(const void *block, size_t class_bytes) {
  Line()
      .text("heap overflow: bytes behind the end of ")
      .pointer(block)
      .text(" were written (size class ")
      .number(class_bytes)
      .text(")")
      .print_and_abort();
}

void report_write_after_free(const void *block, size_t offset_bytes, size_t class_bytes) {
  Line()
      .text("write after free: byte ")
      .number(offset_bytes)
      .text(" of ")
      .pointer(block)
      .text(" was written (size class ")
      .number(class_bytes)
      .text(")")
      .print_and_abort();
}

void report_broken_invariant(const char *condition, const char *file, int line) {
  Line()
      .text("broken invariant: ")
      .text(condition)
      .text(" at ")
      .text(file)
      .text(":")
      .number(static_cast<uint64_t>(line))
      .print_and_abort();
}

void warn(const char *text, const char *name, const char *tail) {
  Line().text("warning: ").text(text).text(name).text(tail).print();
}

}  // namespace hakmem
