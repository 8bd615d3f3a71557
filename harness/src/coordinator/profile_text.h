// profile_text.h - JSON with comments that remembers on which line each key stands.
//
// Purpose:    an error in a profile names its line.
// Boundary:   text in, document out; what the keys mean is profile.h's.
#ifndef HAKBENCH_COORDINATOR_PROFILE_TEXT_H_
#define HAKBENCH_COORDINATOR_PROFILE_TEXT_H_

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace hakbench {

struct ProfileText {
  nlohmann::json document;
  std::map<std::string, size_t> lines;  // dotted path of a key -> its line, from 1
};

// Throws Error ("NAME:LINE: ...") for text that is no JSON object, or that has a key twice.
ProfileText parse_profile_text(const std::string &text, const std::string &name);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_PROFILE_TEXT_H_
