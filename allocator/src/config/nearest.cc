#include "config/nearest.h"

#include <cstdint>
#include <cstring>

namespace hakmem {
namespace {

constexpr size_t kPrefixBytes = sizeof "HAKMEM_" - 1;
constexpr size_t kLongestName = 63;

// Levenshtein's distance, one row of the table at a time.
size_t distance(const char *a, const char *b) {
  const size_t columns = strlen(b);
  if (columns > kLongestName) return SIZE_MAX;
  size_t row[kLongestName + 1];
  for (size_t j = 0; j <= columns; ++j) row[j] = j;
  for (size_t i = 1; a[i - 1] != '\0'; ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= columns; ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      const size_t moved = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
      row[j] = replaced < moved ? replaced : moved;
    }
  }
  return row[columns];
}

}  // namespace

const char *nearest_name(const char *name, const char *const *known, size_t count) {
  const char *nearest = nullptr;
  size_t least = SIZE_MAX;
  for (size_t i = 0; i < count; ++i) {
    const size_t d = distance(name, known[i]);
    if (d >= least || d > (strlen(known[i]) - kPrefixBytes) / 3) continue;
    least = d;
    nearest = known[i];
  }
  return nearest;
}

}  // namespace hakmem
