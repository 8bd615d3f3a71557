// text_file.h - read small files of /proc and /sys.
//
// Boundary:   what cannot be read is nothing, or empty; never an error.
#ifndef HAKBENCH_COORDINATOR_TEXT_FILE_H_
#define HAKBENCH_COORDINATOR_TEXT_FILE_H_

#include <optional>
#include <string>
#include <string_view>

namespace hakbench {

// The whole file, or nothing if it can't be read.
std::optional<std::string> read_text_file(const std::string &path);

// The same, with white space at the end removed; empty if it can't be read.
std::string read_line_file(const std::string &path);

// The unsigned number that follows `key` at the start of a line ("VmHWM:   1234 kB").
std::optional<int64_t> number_after(std::string_view text, std::string_view key);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_TEXT_FILE_H_
