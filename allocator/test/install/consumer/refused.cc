// refused.cc - a C++ program that takes next to nothing of the C++ runtime: new throws bad_alloc in
// it all the same.
#include <cstdint>
#include <cstdio>
#include <new>

int main() {
  const volatile size_t too_large = SIZE_MAX / 4;
  try {
    operator delete(operator new(too_large));
  } catch (const std::bad_alloc &) {
    std::puts("bad_alloc");
  }
}
