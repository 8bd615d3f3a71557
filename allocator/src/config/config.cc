#include "config/config.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "base/check.h"
#include "config/nearest.h"

namespace hakmem {

constinit Config g_config;
constinit Texts g_texts{};

const KnobRow kKnobs[kKnobCount] = {
#define TAKES(min, max, unit) ", ignored; it takes " #min " to " #max " (" unit ")"
#define KNOB(field, name, default_value, min, max, unit, doc, ...) \
  {name, &g_config.field, default_value, min, max, unit, TAKES(min, max, unit), doc},
#define OBSERVE_KNOB(field, name, default_value, min, max, unit, doc, ...) \
  {name, &g_config.field, default_value, min, max, unit, TAKES(min, max, unit), doc, true},
#include "config/knobs.def"
};

const ProfileRow kProfiles[kProfileCount] = {
#define SET(field, value) {&g_config.field, value},
#define PROFILE(name, alias, doc, ...) {name, alias, doc, {__VA_ARGS__}},
#include "config/profiles.def"
};

namespace {

constexpr char kIgnoredNoProfile[] = ", ignored; the profiles are"
#define SET(...)
#define PROFILE(name, ...) " " name
#include "config/profiles.def"
    ;

// The knobs that were set by their own names. relaxed: set before threads, or by a program that must
// order its own calls.
constinit std::atomic<bool> g_explicit[kKnobCount];

struct TextRow {
  const char *name;
  char *value;
};
constexpr TextRow kTexts[] = {
#define OBSERVE_TEXT(field, name, ...) {name, g_texts.field},
#include "config/knobs.def"
};

constexpr char kPrefix[] = "HAKMEM_";
// Names with our prefix that belong to the programs around the allocator.
constexpr const char *kForeignNames[] = {"HAKMEM_BENCH_", "HAKMEM_PYTHON", "HAKMEM_TEST_"};

bool equals(const char *a, const char *b) { return strcmp(a, b) == 0; }

// Whether `text` is one of the names in a unit like "off/free/dontneed"; its place is the value.
bool parse_choice(const char *unit, const char *text, int64_t *out) {
  const size_t length = strlen(text);
  int64_t value = 0;
  for (const char *name = unit; strchr(unit, '/') != nullptr; ++value) {
    const char *end = strchrnul(name, '/');
    if (length == static_cast<size_t>(end - name) && strncasecmp(name, text, length) == 0)
      return *out = value, true;
    if (*end == '\0') return false;
    name = end + 1;
  }
  return false;
}

bool parse(const KnobRow &row, const char *text, int64_t *out) {
  if (parse_choice(row.unit, text, out)) return true;
  for (const char *name : {"on", "true", "yes"}) {
    if (strcasecmp(text, name) == 0) return *out = 1, true;
  }
  for (const char *name : {"off", "false", "no"}) {
    if (strcasecmp(text, name) == 0) return *out = 0, true;
  }
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

bool is_explicit(const std::atomic<int64_t> *knob) {
  for (size_t i = 0; i < kKnobCount; ++i) {
    if (kKnobs[i].value == knob && g_explicit[i].load(std::memory_order_relaxed)) return true;
  }
  return false;
}

void apply_profile(const ProfileRow &profile) {
  for (const KnobRow &row : kKnobs) {
    if (is_explicit(row.value)) continue;
    int64_t value = row.default_value;
    for (const ProfileSetting &setting : profile.settings) {
      if (setting.knob == row.value) value = setting.value;
    }
    row.value->store(value, std::memory_order_relaxed);
  }
}

int set_profile(const char *name) {
  for (const ProfileRow &profile : kProfiles) {
    if (!equals(profile.name, name) && (*name == '\0' || !equals(profile.alias, name))) continue;
    apply_profile(profile);
    return 0;
  }
  return EINVAL;
}

const char *what_it_takes(const char *name) {
  if (equals(name, kProfileVariable)) return kIgnoredNoProfile;
  for (const KnobRow &row : kKnobs) {
    if (equals(row.name, name)) return row.takes;
  }
  return ", ignored; it is too long";
}

void warn_of_unknown(const char *name) {
  const char *known[kKnobCount + 1 + sizeof kTexts / sizeof kTexts[0]] = {kProfileVariable};
  size_t count = 1;
  for (const KnobRow &row : kKnobs) known[count++] = row.name;
  for (const TextRow &row : kTexts) known[count++] = row.name;
  const char *nearest = nearest_name(name, known, count);
  if (nearest == nullptr) return warn("unknown setting ", name, ", ignored");
  char tail[80] = ", ignored; did you mean ";
  strncat(tail, nearest, sizeof tail - strlen(tail) - 2);
  warn("unknown setting ", name, strcat(tail, "?"));
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
      return warn_of_unknown(name);
    case EINVAL:
      return warn("bad value in ", entry, what_it_takes(name));
    case ENOTSUP:
      return warn(name, " is only in the observe build", ", ignored");
    default:
      return;
  }
}

}  // namespace

int64_t warm_pool_kb() {
  const bool suppressed = knob(g_config.mem_lean) != 0 && !is_explicit(&g_config.warm_pool_kb);
  return suppressed ? 0 : knob(g_config.warm_pool_kb);
}

int set_knob(const char *name, const char *text) {
  if (equals(name, kProfileVariable)) return set_profile(text);
  for (size_t i = 0; i < kKnobCount; ++i) {
    const KnobRow &row = kKnobs[i];
    if (!equals(row.name, name)) continue;
    if (row.observe_only && !kObserve) return ENOTSUP;
    int64_t value = 0;
    if (!parse(row, text, &value) || value < row.min || value > row.max) return EINVAL;
    row.value->store(value, std::memory_order_relaxed);
    g_explicit[i].store(true, std::memory_order_relaxed);
    return 0;
  }
  for (const TextRow &row : kTexts) {
    if (!equals(row.name, name)) continue;
    if (!kObserve) return ENOTSUP;
    const size_t length = strlen(text);
    if (length > kMaxTextBytes) return EINVAL;
    memcpy(row.value, text, length + 1);
    return 0;
  }
  return ENOENT;
}

bool load_config_from_environment() {
  static std::atomic<bool> loaded{false};
  if (loaded.load(std::memory_order_relaxed)) return true;
  if (environ == nullptr) return false;
  if (loaded.exchange(true, std::memory_order_relaxed)) return true;
  // A program with more rights than its caller takes no orders from the caller's environment.
  if (getauxval(AT_SECURE) != 0) return true;
  for (char **entry = environ; *entry != nullptr; ++entry) {
    if (strncmp(*entry, kPrefix, sizeof kPrefix - 1) == 0) read_entry(*entry);
  }
  return true;
}

}  // namespace hakmem
