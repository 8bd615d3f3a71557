// trace_command.cc - `hakbench trace info` and `hakbench trace verify`.
//
// Boundary:   prints and writes what trace/summary.h counts; the picture is made by
//             hakbench-traceplot from info.json.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/locations.h"
#include "coordinator/child.h"
#include "model/error.h"
#include "output/line_file.h"
#include "output/result_folder.h"
#include "subject/plugin_loader.h"
#include "trace/summary.h"
#include "workload/workload.h"

namespace hakbench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using trace::Header;
using trace::Summary;

constexpr const char *kKindNames[] = {"malloc", "calloc", "aligned", "free", "realloc"};

double percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

uint64_t bucket_low(size_t bucket) { return bucket == 0 ? 0 : uint64_t{1} << (bucket - 1); }
uint64_t bucket_high(size_t bucket) { return bucket == 0 ? 0 : 2 * bucket_low(bucket) - 1; }

json histogram_json(const trace::Histogram &histogram) {
  json buckets = json::array();
  for (size_t bucket = 0; bucket < histogram.size(); ++bucket)
    if (histogram[bucket] > 0)
      buckets.push_back({{"low", bucket_low(bucket)},
                         {"high", bucket_high(bucket)},
                         {"blocks", histogram[bucket]}});
  return buckets;
}

json info_json(const std::string &path, const Header &header, const Summary &summary) {
  json info = {{"format", "hakbench-trace-info/1"},
               {"file", fs::path(path).filename().string()},
               {"file_bytes", fs::file_size(path)},
               {"program", header.program},
               {"ops", header.ops},
               {"pass_ops", header.ops + summary.end_live_blocks},
               {"blocks", header.blocks},
               {"born_bytes", summary.born_bytes},
               {"peak_live_bytes", header.peak_live_bytes},
               {"peak_live_blocks", summary.peak_live_blocks},
               {"end_live_bytes", header.end_live_bytes},
               {"end_live_blocks", summary.end_live_blocks},
               {"remote_frees", summary.remote_frees},
               {"unknown_frees", header.unknown_frees},
               {"lost_frees", header.lost_frees}};
  for (size_t kind = 0; kind < summary.ops_by_kind.size(); ++kind)
    info["ops_by_kind"][kKindNames[kind]] = summary.ops_by_kind[kind];
  info["reallocs"] = {{"grown", summary.reallocs_grown},
                      {"shrunk", summary.reallocs_shrunk},
                      {"same", summary.reallocs_same}};
  info["sizes_bytes"] = histogram_json(summary.sizes);
  info["lifetimes_ops"] = histogram_json(summary.lifetimes_ops);
  info["lifetimes_bytes"] = histogram_json(summary.lifetimes_bytes);
  for (const trace::ThreadCounts &thread : summary.threads)
    info["threads"].push_back({{"births", thread.births},
                               {"frees", thread.frees},
                               {"remote_frees", thread.remote_frees},
                               {"reallocs", thread.reallocs},
                               {"born_bytes", thread.born_bytes}});
  for (const trace::LivePoint &point : summary.live)
    info["live"].push_back(
        {{"ops", point.ops}, {"live_bytes", point.live_bytes}, {"live_blocks", point.live_blocks}});
  return info;
}

// The name of a file or program may hold bytes that are no UTF-8; those are replaced, not fatal.
std::string text_of(const json &info) {
  return info.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

void print_histogram(const char *title, const trace::Histogram &histogram) {
  constexpr double kBarColumns = 40;
  uint64_t all = 0;
  for (const uint64_t blocks : histogram) all += blocks;
  if (all == 0) return;
  fmt::print("\n{}\n", title);
  for (size_t bucket = 0; bucket < histogram.size(); ++bucket) {
    if (histogram[bucket] == 0) continue;
    const double share = percent(histogram[bucket], all);
    fmt::print("  {:>15} .. {:<15} {:>10} {:>5.1f} %  {}\n", bucket_low(bucket),
               bucket_high(bucket), histogram[bucket], share,
               std::string(static_cast<size_t>(std::lround(share / 100 * kBarColumns)), '#'));
  }
}

void print_threads(const Summary &summary) {
  constexpr size_t kMaxRows = 16;
  fmt::print("\nthreads: {}\n  {:>6} {:>12} {:>12} {:>12} {:>12} {:>16}\n", summary.threads.size(),
             "thread", "births", "frees", "remote", "reallocs", "bytes asked for");
  for (size_t i = 0; i < summary.threads.size() && i < kMaxRows; ++i) {
    const trace::ThreadCounts &thread = summary.threads[i];
    fmt::print("  {:>6} {:>12} {:>12} {:>12} {:>12} {:>16}\n", i, thread.births, thread.frees,
               thread.remote_frees, thread.reallocs, thread.born_bytes);
  }
  if (summary.threads.size() > kMaxRows)
    fmt::print("  and {} more; --format json has them\n", summary.threads.size() - kMaxRows);
}

void print_info(const std::string &path, const Header &header, const Summary &summary) {
  const uint64_t frees = summary.ops_by_kind[static_cast<size_t>(trace::OpKind::kFree)];
  fmt::print("{}: {} calls of {}, {:.2f} bytes each on disk\n", path, header.ops, header.program,
             static_cast<double>(fs::file_size(path)) / static_cast<double>(header.ops));
  fmt::print("  a pass of replay       {} ops: {} blocks are live at the end and freed there\n",
             header.ops + summary.end_live_blocks, summary.end_live_blocks);
  fmt::print("  calls                  ");
  for (size_t kind = 0; kind < summary.ops_by_kind.size(); ++kind)
    fmt::print("{}{} {}", kind == 0 ? "" : ", ", summary.ops_by_kind[kind], kKindNames[kind]);
  fmt::print("\n  bytes asked for        {}\n", summary.born_bytes);
  fmt::print("  peak                   {} bytes live, {} blocks\n", header.peak_live_bytes,
             summary.peak_live_blocks);
  fmt::print("  frees by other threads {} ({:.1f} %)\n", summary.remote_frees,
             percent(summary.remote_frees, frees));
  fmt::print("  reallocs               {} grew, {} shrank, {} kept their size\n",
             summary.reallocs_grown, summary.reallocs_shrunk, summary.reallocs_same);
  if (header.unknown_frees + header.lost_frees > 0)
    fmt::print("  not in the recording   {} frees of older blocks left out, {} frees put in\n",
               header.unknown_frees, header.lost_frees);
  print_threads(summary);
  print_histogram("sizes, bytes                         blocks", summary.sizes);
  print_histogram("lifetimes, ops                       blocks", summary.lifetimes_ops);
  print_histogram("lifetimes, bytes asked for meanwhile blocks", summary.lifetimes_bytes);
}

// info.json, and the pictures that the analysis makes of it.
void write_folder(const std::string &folder, const json &info) {
  const std::string path = folder + "/info.json";
  replace_file(path, text_of(info));
  const auto tool = find_tool("traceplot");
  if (!tool) {
    fmt::print("{} is written; no hakbench-traceplot found to draw it\n", path);
    return;
  }
  if (!run_program({*tool, folder}))
    throw Error("drawing failed; repeat it with: hakbench traceplot " + folder);
}

int info(const std::string &path, const std::string &folder, const std::string &format) {
  trace::Reader reader(path);
  const Summary summary = trace::summarize(&reader);
  if (!folder.empty()) make_folder(folder);
  if (format == "json") {
    fmt::print("{}", text_of(info_json(path, reader.header(), summary)));
  } else {
    print_info(path, reader.header(), summary);
  }
  if (!folder.empty()) write_folder(folder, info_json(path, reader.header(), summary));
  return 0;
}

// Replays one pass and compares the bytes that the replay holds with the recorder's own count.
int verify(const std::string &path, const std::string &allocator) {
  const trace::Reader recorded(path);
  PluginSpec spec;
  LoadedPlugin plugin;
  std::string error;
  if (!resolve_plugin(allocator, plugin_folder(), &spec, &error) ||
      !load_plugin(spec, &plugin, &error) || !init_plugin(plugin, "{}", &error))
    throw Error(error);
  WorkloadConfig config;
  config.name = "trace";
  config.file = path;
  const auto replay = make_workload(config, &error);
  if (replay == nullptr) throw Error(error);

  const Header &header = recorded.header();
  uint64_t failed = 0;
  for (uint64_t i = 0; i < recorded.checkpoints(); ++i) {
    failed += replay->run(*plugin.table, 0, header.checkpoint_ops);
    if (replay->live_bytes() == recorded.checkpoint(i)) continue;
    throw Error(
        fmt::format("trace {}: after {} ops the replay holds {} bytes, the program held {}"
                    " ({} allocations failed)",
                    path, (i + 1) * header.checkpoint_ops, replay->live_bytes(),
                    recorded.checkpoint(i), failed));
  }
  failed += replay->run(*plugin.table, 0, header.ops % header.checkpoint_ops);
  const uint64_t end_bytes = replay->live_bytes();
  replay->tear_down(*plugin.table, 0);
  if (end_bytes != header.end_live_bytes || replay->live_bytes() != 0)
    throw Error(fmt::format("trace {}: at its end the replay holds {} bytes, the program held {}",
                            path, end_bytes, header.end_live_bytes));
  fmt::print(
      "{}: live bytes of the replay with {} equal the recorded ones at {} points, every {} "
      "ops and at the end\n",
      path, spec.name, recorded.checkpoints() + 1, header.checkpoint_ops);
  return 0;
}

}  // namespace

void add_trace_command(CLI::App *app, int *exit_code) {
  CLI::App *command = app->add_subcommand("trace", "Look into a trace that was recorded");
  command->require_subcommand(1);

  CLI::App *info_command =
      command->add_subcommand("info", "Sizes, lifetimes, live bytes, threads, reallocs");
  auto info_path = std::make_shared<std::string>();
  auto folder = std::make_shared<std::string>();
  auto format = std::make_shared<std::string>("text");
  info_command->add_option("TRACE", *info_path, "What `hakbench record` wrote")->required();
  info_command->add_option("-o,--output", *folder,
                           "Folder for info.json and trace.png, its picture");
  add_format_option(info_command, format.get());
  info_command->footer("Example: hakbench trace info app.trace -o out/app");
  info_command->callback([=] { *exit_code = info(*info_path, *folder, *format); });

  CLI::App *verify_command = command->add_subcommand(
      "verify", "Prove that a replay holds the bytes that the program held");
  auto verify_path = std::make_shared<std::string>();
  auto allocator = std::make_shared<std::string>("glibc");
  verify_command->add_option("TRACE", *verify_path, "What `hakbench record` wrote")->required();
  verify_command->add_option("-a,--allocator", *allocator, "A plugin's name (default glibc)");
  verify_command->footer("Example: hakbench trace verify app.trace -a hakmem");
  verify_command->callback([=] { *exit_code = verify(*verify_path, *allocator); });
}

}  // namespace hakbench
