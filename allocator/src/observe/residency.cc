#include "observe/residency.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/units.h"

namespace hakmem::observe::residency {
namespace {

class File {
 public:
  explicit File(const char *path) : fd_(open(path, O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

// --- one line of maps

struct Line {
  uintptr_t begin, end;
  bool accessible;
  const char *name;  // "" if it has none
};

// "begin-end perms offset device inode   name"
bool parse(char *text, Line *line) {
  char *at = nullptr;
  line->begin = strtoull(text, &at, 16);
  if (*at != '-') return false;
  line->end = strtoull(at + 1, &at, 16);
  if (*at != ' ') return false;
  line->accessible = strncmp(at + 1, "---", 3) != 0;
  for (int fields = 0; fields < 4; ++fields) {
    at = strchr(at + 1, ' ');
    if (at == nullptr) return false;
  }
  line->name = at + strspn(at, " ");
  return true;
}

bool begins_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

// Mappings whose pages the kernel does not count for Rss.
bool is_uncounted(const char *name) {
  return begins_with(name, "[vvar") || begins_with(name, "[vsyscall") ||
         begins_with(name, "/anon_hugepage");
}

// A thread's stack is known by the guard below it, as the C library lays it out.
Mapping mapping_of(const Line &line, const Line &below) {
  if (begins_with(line.name, "[stack")) return Mapping::kStack;
  if (line.name[0] == '/' || begins_with(line.name, "[vdso")) return Mapping::kFile;
  const bool guarded = below.end == line.begin && !below.accessible && below.name[0] == '\0';
  return guarded && line.name[0] == '\0' ? Mapping::kStack : Mapping::kAnonymous;
}

// --- resident pages of one mapping: the kernel's own scan (6.7 and later), or pagemap's entries

// As in linux/fs.h, which may be older than the kernel.
struct PageRegion {
  uint64_t begin, end, categories;
};
struct ScanArgument {
  uint64_t size, flags, begin, end, walk_end, regions, region_count, most_pages;
  uint64_t category_inverted, category_mask, category_any, return_mask;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArgument);
constexpr uint64_t kPresentCategory = 1 << 3;
constexpr uint64_t kZeroPageCategory = 1 << 5;

constexpr uint64_t kPresentBit = uint64_t{1} << 63;
constexpr uint64_t kFileBit = uint64_t{1} << 61;
constexpr uint64_t kExclusiveBit = uint64_t{1} << 56;

struct Walk {
  Scratch *scratch;
  int pagemap;
  bool can_scan;
  Visitor visit;
  void *context;
};

bool scan(const Walk &w, const Line &line, Mapping mapping) {
  auto *regions = reinterpret_cast<PageRegion *>(w.scratch->entries);
  ScanArgument argument{};
  argument.size = sizeof argument;
  argument.begin = line.begin;
  argument.end = line.end;
  argument.regions = reinterpret_cast<uintptr_t>(regions);
  argument.region_count = Scratch::kEntries * sizeof(uint64_t) / sizeof(PageRegion);
  argument.category_inverted = kZeroPageCategory;
  argument.category_mask = kPresentCategory | kZeroPageCategory;
  argument.return_mask = kPresentCategory;
  while (argument.begin < line.end) {
    const int n = ioctl(w.pagemap, kPagemapScan, &argument);
    if (n < 0) return false;
    for (int i = 0; i < n; ++i) w.visit(w.context, mapping, regions[i].begin, regions[i].end);
    argument.begin = argument.walk_end;
  }
  return true;
}

// An entry does not name the page of zeros; but it belongs to nobody, so it is neither a file's nor
// exclusively ours. After a fork that is true of shared pages too, which are then not counted.
bool counts(uint64_t entry) {
  return (entry & kPresentBit) != 0 && (entry & (kFileBit | kExclusiveBit)) != 0;
}

bool read_entries(const Walk &w, const Line &line, Mapping mapping) {
  for (uintptr_t begin = line.begin; begin < line.end;) {
    const size_t pages = (line.end - begin) / kOsPageBytes;
    const size_t want = pages < Scratch::kEntries ? pages : Scratch::kEntries;
    const ssize_t got = pread(w.pagemap, w.scratch->entries, want * sizeof(uint64_t),
                              static_cast<off_t>(begin / kOsPageBytes * sizeof(uint64_t)));
    if (got <= 0) return false;
    const size_t n = static_cast<size_t>(got) / sizeof(uint64_t);
    for (size_t i = 0; i < n;) {
      const size_t first = i;
      while (i < n && counts(w.scratch->entries[i])) ++i;
      if (i > first) {
        w.visit(w.context, mapping, begin + first * kOsPageBytes, begin + i * kOsPageBytes);
      }
      while (i < n && !counts(w.scratch->entries[i])) ++i;
    }
    begin += n * kOsPageBytes;
  }
  return true;
}

bool walk_mapping(Walk *w, const Line &line, Mapping mapping) {
  if (w->can_scan) {
    if (scan(*w, line, mapping)) return true;
    if (errno != ENOTTY && errno != EINVAL) return false;
    w->can_scan = false;  // an older kernel says so at the first mapping
  }
  return read_entries(*w, line, mapping);
}

constexpr char kNoMaps[] =
    "/proc/self/maps can't be read; mount /proc, and leave a file descriptor free";
constexpr char kNoPagemap[] =
    "/proc/self/pagemap can't be read; it needs a kernel that offers it, a process that may be "
    "dumped, and a free file descriptor";

}  // namespace

const char *walk(Scratch *scratch, Visitor visit, void *context) {
  const File maps("/proc/self/maps");
  const File pagemap("/proc/self/pagemap");
  if (maps.fd() < 0) return kNoMaps;
  if (pagemap.fd() < 0) return kNoPagemap;
  Walk w{scratch, pagemap.fd(), true, visit, context};
  Line below{};
  below.name = "";
  size_t held = 0;
  for (;;) {
    const ssize_t got = read(maps.fd(), scratch->text + held, Scratch::kTextBytes - 1 - held);
    if (got < 0) return kNoMaps;
    if (got == 0) return nullptr;
    held += static_cast<size_t>(got);
    scratch->text[held] = '\0';
    char *at = scratch->text;
    while (char *end = strchr(at, '\n')) {
      *end = '\0';
      Line line{};
      if (parse(at, &line) && !is_uncounted(line.name)) {
        if (!walk_mapping(&w, line, mapping_of(line, below))) {
          return kNoPagemap;
        }
      }
      below = {line.begin, line.end, line.accessible, line.name[0] == '\0' ? "" : "named"};
      at = end + 1;
    }
    held = strlen(at);
    memmove(scratch->text, at, held + 1);
  }
}

uint64_t rss_bytes(Scratch *scratch) {
  const File file("/proc/self/smaps_rollup");
  if (file.fd() < 0) return 0;
  const ssize_t got = read(file.fd(), scratch->text, Scratch::kTextBytes - 1);
  if (got <= 0) return 0;
  scratch->text[got] = '\0';
  const char *line = strstr(scratch->text, "\nRss:");
  return line == nullptr ? 0 : strtoull(line + strlen("\nRss:"), nullptr, 10) * kKiB;
}

}  // namespace hakmem::observe::residency
