// requests.cc - what libhakmem-observe.so does before main: see observe/requests.h.
//
// Boundary:   a constructor and one call; linked into that library alone.
#include "observe/requests.h"

namespace {

[[gnu::constructor]] void serve_requests() { hakmem::observe::serve_requests(); }

}  // namespace
