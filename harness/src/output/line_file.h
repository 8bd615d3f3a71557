// line_file.h - a file to which whole lines are appended, each at once.
//
// Purpose:    rows that survive a crash of the process: one write(2) a line on an O_APPEND descriptor,
//             no buffer. No fsync: a crash of the machine may lose the last ones.
// Owns:       the file descriptor.
// Invariants: the file holds complete lines only: a line that could be written only in part (disk
//             full, or the machine went down before the file was continued) is cut off again. One
//             process writes it at a time (flock). Errors name the file and the mend.
// Threads:    one.
#ifndef HAKBENCH_OUTPUT_LINE_FILE_H_
#define HAKBENCH_OUTPUT_LINE_FILE_H_

#include <string>

namespace hakbench {

class LineFile {
 public:
  enum class Start { kEmpty, kContinue };

  LineFile(const std::string &path, Start start);  // creates it if need be; throws Error
  ~LineFile();
  LineFile(const LineFile &) = delete;
  LineFile &operator=(const LineFile &) = delete;

  void append(const std::string &line);  // adds the line feed; throws Error
  bool is_empty() const;

 private:
  std::string path_;
  int fd_;
};

// Replaces the content of a regular file, or of the one that a link leads to, in one step: readers see
// the old or the new one. Throws Error.
void replace_file(const std::string &name, const std::string &content);

// False, with errno, if not all could be written.
bool write_all(int fd, const std::string &text);

}  // namespace hakbench

#endif  // HAKBENCH_OUTPUT_LINE_FILE_H_
