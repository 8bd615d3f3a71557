#include "coordinator/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>

namespace hakbench {

std::optional<std::string> read_text_file(const std::string &path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::string text;
  char chunk[4096];
  ssize_t length;
  while ((length = read(fd, chunk, sizeof chunk)) > 0)
    text.append(chunk, static_cast<size_t>(length));
  close(fd);
  if (length < 0) return std::nullopt;
  return text;
}

std::string read_line_file(const std::string &path) {
  std::string text = read_text_file(path).value_or("");
  text.erase(text.find_last_not_of(" \t\n") + 1);
  return text;
}

std::optional<int64_t> number_after(std::string_view text, std::string_view key) {
  for (size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    if (at != 0 && text[at - 1] != '\n') continue;
    const size_t digit = text.find_first_not_of(" \t", at + key.size());
    if (digit == std::string_view::npos) return std::nullopt;
    int64_t value = 0;
    const auto [end, code] = std::from_chars(text.data() + digit, text.data() + text.size(), value);
    if (code != std::errc()) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

}  // namespace hakbench
