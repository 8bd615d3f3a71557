#include "output/row_stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "model/error.h"
#include "output/csv.h"
#include "output/line_file.h"

namespace hakbench {
namespace {

void write_line(const std::string &line) {
  if (!write_all(STDOUT_FILENO, line + "\n"))
    throw Error(std::string("cannot write rows to standard output: ") + strerror(errno) +
                "; free space, or keep its reader running; the result folder has all rows");
}

}  // namespace

RowStream::RowStream() { write_line(epoch_header()); }

void RowStream::on_epoch(const Epoch &epoch) { write_line(epoch_row(epoch)); }

}  // namespace hakbench
