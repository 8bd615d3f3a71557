#include "config/config.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace hakmem {

constinit Config g_config;

const KnobRow kKnobs[kKnobCount] = {
#define KNOB(field, name, default_value, min, max, unit, doc) \
  {name, &g_config.field, default_value, min, max, unit, doc},
#include "config/knobs.def"
};

namespace {

constexpr char kPrefix[] = "HAKMEM_";
// Names with our prefix that belong to the programs around the allocator.
constexpr const char *kForeignNames[] = {"HAKMEM_BENCH_", "HAKMEM_PYTHON", "HAKMEM_TEST_"};

bool equals(const char *a, const char *b) { return strcmp(a, b) == 0; }

bool parse(const char *text, int64_t *out) {
  if (equals(text, "on") || equals(text, "true") || equals(text, "yes")) return *out = 1, true;
  if (equals(text, "off") || equals(text, "false") || equals(text, "no")) return *out = 0, true;
  if (*text == '\0') return false;
  int64_t value = 0;
  for (; *text != '\0'; ++text) {
    if (*text < '0' || *text > '9' || value > (INT64_MAX - 9) / 10) return false;
    value = value * 10 + (*text - '0');
  }
  *out = value;
  return true;
}

bool is_foreign(const char *entry) {
  for (const char *name : kForeignNames) {
    if (strncmp(entry, name, strlen(name)) == 0) return true;
  }
  return false;
}

void read_entry(const char *entry) {
  const char *equals_sign = strchr(entry, '=');
  if (equals_sign == nullptr || is_foreign(entry)) return;
  char name[64];
  const size_t length = static_cast<size_t>(equals_sign - entry);
  if (length >= sizeof name) return warn("unknown setting ", entry, ", ignored");
  memcpy(name, entry, length);
  name[length] = '\0';
  switch (set_knob(name, equals_sign + 1)) {
    case ENOENT:
      return warn("unknown setting ", name, ", ignored");
    case EINVAL:
      return warn("bad value in ", entry, ", ignored");
    default:
      return;
  }
}

}  // namespace

int set_knob(const char *name, const char *text) {
  for (const KnobRow &row : kKnobs) {
    if (!equals(row.name, name)) continue;
    int64_t value = 0;
    if (!parse(text, &value) || value < row.min || value > row.max) return EINVAL;
    row.value->store(value, std::memory_order_relaxed);
    return 0;
  }
  return ENOENT;
}

bool load_config_from_environment() {
  static std::atomic<bool> loaded{false};
  if (loaded.load(std::memory_order_relaxed)) return true;
  if (environ == nullptr) return false;
  if (loaded.exchange(true, std::memory_order_relaxed)) return true;
  for (char **entry = environ; *entry != nullptr; ++entry) {
    if (strncmp(*entry, kPrefix, sizeof kPrefix - 1) == 0) read_entry(*entry);
  }
  return true;
}

}  // namespace hakmem
