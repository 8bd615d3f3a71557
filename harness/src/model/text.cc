#include "model/text.h"

#include <algorithm>
#include <numeric>

namespace hakbench {
namespace {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t substitute = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, substitute});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string join(const std::vector<std::string> &words, std::string_view separator) {
  if (words.empty()) return "none";
  std::string text = words.front();
  for (size_t i = 1; i < words.size(); ++i) text.append(separator).append(words[i]);
  return text;
}

std::string counted(uint64_t number, std::string_view one, std::string_view more) {
  return std::to_string(number).append(" ").append(number == 1 ? one : more);
}

std::string suggest(std::string_view word, const std::vector<std::string> &known) {
  const std::string *best = nullptr;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string &candidate : known) {
    const size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) best = &candidate, best_distance = distance;
  }
  if (best != nullptr) return "; did you mean '" + *best + "'?";
  return "; known: " + join(known);
}

}  // namespace hakbench
