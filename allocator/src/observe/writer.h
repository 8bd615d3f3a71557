// writer.h - text into a fixed buffer.
//
// Purpose:    JSON and tables without an allocation.
// Boundary:   writes at most cap bytes, NUL included, and counts what it would have taken.
#ifndef HAKMEM_OBSERVE_WRITER_H_
#define HAKMEM_OBSERVE_WRITER_H_

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace hakmem::observe {

class Writer {
 public:
  Writer(char *buf, size_t cap) : buf_(buf), cap_(cap) {}

  [[gnu::format(printf, 2, 3)]] void print(const char *format, ...) {
    va_list args;
    va_start(args, format);
    const size_t room = length_ < cap_ ? cap_ - length_ : 0;
    const int n = vsnprintf(room > 0 ? buf_ + length_ : nullptr, room, format, args);
    va_end(args);
    if (n > 0) length_ += static_cast<size_t>(n);
  }

  // JSON. A name of NULL: an element of a list.
  void field(const char *name, uint64_t value) {
    name_of(name);
    print("%llu", static_cast<unsigned long long>(value));
  }
  void signed_field(const char *name, int64_t value) {
    name_of(name);
    print("%lld", static_cast<long long>(value));
  }
  // What would have to be escaped becomes a question mark.
  void text_field(const char *name, const char *text) {
    name_of(name);
    print("\"");
    for (; *text != '\0'; ++text) {
      const bool plain = *text >= ' ' && *text <= '~' && *text != '"' && *text != '\\';
      print("%c", plain ? *text : '?');
    }
    print("\"");
  }
  void open(const char *name, char bracket = '{') {
    name_of(name);
    begin(bracket);
  }
  void close(char bracket = '}') {
    print("%c", bracket);
    separator_ = ",";
  }
  void begin(char bracket = '{') {
    print("%c", bracket);
    separator_ = "";
  }

  // What the whole needs, without the NUL.
  size_t length() const { return length_; }
  // What is in the buffer, without the NUL.
  size_t written() const { return length_ < cap_ ? length_ : cap_ > 0 ? cap_ - 1 : 0; }

 private:
  void name_of(const char *name) {
    print("%s", separator_);
    if (name != nullptr) print("\"%s\":", name);
    separator_ = ",";
  }

  char *buf_;
  size_t cap_;
  size_t length_ = 0;
  const char *separator_ = "";
};

}  // namespace hakmem::observe

#endif  // HAKMEM_OBSERVE_WRITER_H_
