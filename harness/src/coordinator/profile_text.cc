#include "coordinator/profile_text.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "model/error.h"

namespace hakbench {
namespace {

using nlohmann::json;

// Walks the text for the parser and counts the lines it has consumed. A key is reported when its
// closing quote has just been read, so the count is then the key's line.
class CountingIterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char *;
  using reference = const char &;

  CountingIterator() = default;
  CountingIterator(const char *at, size_t *line) : at_(at), line_(line) {}
  reference operator*() const { return *at_; }
  CountingIterator &operator++() {
    if (*at_++ == '\n') ++*line_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator &other) const { return at_ == other.at_; }

 private:
  const char *at_ = nullptr;
  size_t *line_ = nullptr;
};

size_t line_of_byte(const std::string &text, size_t byte) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(byte, text.size()));
  return 1 + static_cast<size_t>(std::count(text.begin(), end, '\n'));
}

// The parser's own words without its code and position, which are said otherwise.
std::string reason(const json::parse_error &error) {
  const std::string what = error.what();
  const size_t column = what.find(", column ");
  const size_t colon = column == std::string::npos ? what.find(": ") : what.find(": ", column);
  return colon == std::string::npos ? what : what.substr(colon + 2);
}

}  // namespace

ProfileText parse_profile_text(const std::string &text, const std::string &name) {
  ProfileText result;
  size_t line = 1;
  std::vector<std::string> path;
  const auto note_key = [&](int depth, json::parse_event_t event, json &parsed) {
    if (event != json::parse_event_t::key) return true;
    path.resize(static_cast<size_t>(depth - 1));
    path.push_back(parsed.get<std::string>());
    std::string dotted = path[0];
    for (size_t i = 1; i < path.size(); ++i) dotted += "." + path[i];
    if (!result.lines.emplace(dotted, line).second)
      throw Error(name + ":" + std::to_string(line) + ": key '" + dotted + "' is given twice");
    return true;
  };
  try {
    const CountingIterator begin(text.data(), &line);
    const CountingIterator end(text.data() + text.size(), &line);
    result.document = json::parse(begin, end, note_key, true, true);
  } catch (const json::parse_error &error) {
    throw Error(name + ":" + std::to_string(line_of_byte(text, error.byte)) +
                ": not valid JSON: " + reason(error));
  }
  if (!result.document.is_object()) throw Error(name + ":1: a profile is a JSON object { ... }");
  return result;
}

}  // namespace hakbench
