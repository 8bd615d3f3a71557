// text.h - small helpers for messages to people.
//
// Boundary:   pure.
#ifndef HAKBENCH_MODEL_TEXT_H_
#define HAKBENCH_MODEL_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hakbench {

// "a, b, c"; "none" for an empty list.
std::string join(const std::vector<std::string> &words, std::string_view separator = ", ");

// "1 launch", "2 launches".
std::string counted(uint64_t number, std::string_view one, std::string_view more);

// "; did you mean 'ws'?" if one of `known` is within a third of the word's length (Levenshtein
// distance), else "; known: ws, seed".
std::string suggest(std::string_view word, const std::vector<std::string> &known);

}  // namespace hakbench

#endif  // HAKBENCH_MODEL_TEXT_H_
