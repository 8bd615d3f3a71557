#include "output/line_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "model/error.h"

namespace hakbench {
namespace {

[[noreturn]] void throw_write_error(const std::string &path, int code) {
  const char *mend = code == ENOSPC || code == EDQUOT || code == EFBIG
                         ? "free space or name another folder with -o; earlier rows are kept"
                         : "check the folder's permissions or name another with -o";
  throw Error("cannot write " + path + ": " + strerror(code) + "; " + mend);
}

// Where a link leads. A device or a pipe must not be replaced by a file.
std::string regular_file(const std::string &name) {
  struct stat now = {};
  if (stat(name.c_str(), &now) != 0) return name;
  if (!S_ISREG(now.st_mode))
    throw Error("cannot write " + name + ": it is no regular file; name another");
  std::error_code code;
  const std::string target = std::filesystem::canonical(name, code).string();
  return code ? name : target;
}

// Up to the last line feed and with it.
off_t complete_bytes(int fd) {
  char chunk[4096];
  for (off_t end = lseek(fd, 0, SEEK_END); end > 0;) {
    const off_t begin = std::max<off_t>(0, end - static_cast<off_t>(sizeof chunk));
    const ssize_t length = pread(fd, chunk, static_cast<size_t>(end - begin), begin);
    if (length <= 0) return end;
    for (ssize_t i = length; i > 0; --i)
      if (chunk[i - 1] == '\n') return begin + i;
    end = begin;
  }
  return 0;
}

}  // namespace

bool write_all(int fd, const std::string &text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t length = write(fd, text.data() + done, text.size() - done);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return false;
    done += static_cast<size_t>(length);
  }
  return true;
}

LineFile::LineFile(const std::string &path, Start start)
    : path_(path), fd_(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (fd_ < 0) throw_write_error(path_, errno);
  // A file system without locks is no reason to refuse.
  if (flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    close(fd_);
    throw Error("another process is writing " + path_ + "; wait for it, or end it");
  }
  // Fails on a device only, where there is nothing to cut.
  const off_t kept = start == Start::kEmpty ? 0 : complete_bytes(fd_);
  [[maybe_unused]] const int ignored = ftruncate(fd_, kept);
}

LineFile::~LineFile() { close(fd_); }

bool LineFile::is_empty() const {
  struct stat now = {};
  return fstat(fd_, &now) == 0 && now.st_size == 0;
}

void LineFile::append(const std::string &line) {
  struct stat before = {};
  fstat(fd_, &before);
  if (write_all(fd_, line + "\n")) return;
  const int code = errno;
  // Cutting back can't fail for lack of space; on a device it does, and there is nothing to cut.
  [[maybe_unused]] const int ignored = ftruncate(fd_, before.st_size);
  throw_write_error(path_, code);
}

void replace_file(const std::string &name, const std::string &content) {
  const std::string path = regular_file(name);
  const std::string temporary = path + ".new";
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) throw_write_error(temporary, errno);
  const bool ok = write_all(fd, content) && fsync(fd) == 0;
  const int code = errno;
  close(fd);
  if (!ok || rename(temporary.c_str(), path.c_str()) != 0) {
    const int final_code = ok ? errno : code;
    unlink(temporary.c_str());
    throw_write_error(path, final_code);
  }
}

}  // namespace hakbench
