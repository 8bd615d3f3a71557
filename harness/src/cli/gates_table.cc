#include "cli/gates_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <optional>
#include <sstream>
#include <vector>

#include "cli/locations.h"
#include "coordinator/text_file.h"
#include "model/error.h"
#include "model/text.h"

namespace hakbench {
namespace {

using nlohmann::json;

constexpr char kPrefix[] = "HAKMEM_";
// Variables of the programs around the allocator have its prefix too.
constexpr const char *kForeignPrefixes[] = {"HAKMEM_BENCH_", "HAKMEM_PYTHON", "HAKMEM_TEST_"};

std::optional<json> try_read() {
  const std::string text = read_text_file(gates_file()).value_or("");
  json table = json::parse(text, nullptr, false);
  if (!table.is_object() || !table.contains("gates") || !table.contains("profiles")) return {};
  return table;
}

bool is_hakmems(const std::string &name) {
  if (name.rfind(kPrefix, 0) != 0) return false;
  return std::none_of(std::begin(kForeignPrefixes), std::end(kForeignPrefixes),
                      [&](const char *prefix) { return name.rfind(prefix, 0) == 0; });
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// As hakmem reads it: a whole number, a word for 0 or 1, or a name of the unit "off/free/dontneed".
std::optional<long long> number_of(const std::string &text, const std::string &unit) {
  const std::string word = lower(text);
  if (unit.find('/') != std::string::npos) {
    std::istringstream names(unit);
    long long value = 0;
    for (std::string name; std::getline(names, name, '/'); ++value)
      if (name == word) return value;
  }
  for (const char *yes : {"on", "true", "yes"})
    if (word == yes) return 1;
  for (const char *no : {"off", "false", "no"})
    if (word == no) return 0;
  long long value = 0;
  const char *end = text.data() + text.size();
  const auto [at, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || at != end || value < 0) return {};
  return value;
}

bool takes(const json &gate, const std::string &value) {
  long long least = 0, most = 0;
  if (std::sscanf(gate.at("range").get<std::string>().c_str(), "%lld to %lld", &least, &most) != 2)
    return true;  // a text
  const auto number = number_of(value, gate.at("unit"));
  return number && *number >= least && *number <= most;
}

std::vector<std::string> profile_names(const json &table) {
  std::vector<std::string> names;
  for (const json &profile : table.at("profiles"))
    for (const char *key : {"name", "alias"})
      if (const std::string name = profile.value(key, ""); !name.empty()) names.push_back(name);
  return names;
}

}  // namespace

json read_gates() {
  if (auto table = try_read()) return *table;
  throw Error("cannot read hakmem's table of gates " + gates_file() +
              "; build or install this project whole, the target gates_json writes it");
}

std::string profile_of_alias(const std::string &alias) {
  const auto table = try_read();
  if (!table || alias.empty()) return "";
  for (const json &profile : table->at("profiles"))
    if (profile.value("alias", "") == alias) return profile.value("name", "");
  return "";
}

void check_hakmem_setting(const std::string &option, const std::string &name,
                          const std::string &value) {
  const auto table = try_read();
  if (!is_hakmems(name) || !table) return;
  std::vector<std::string> known;
  for (const json &gate : table->at("gates")) {
    if (gate.at("kind") != "environment") continue;
    known.push_back(gate.at("name"));
    if (name != gate.at("name")) continue;
    if (name == "HAKMEM_PROFILE") {
      const std::vector<std::string> names = profile_names(*table);
      if (std::find(names.begin(), names.end(), value) != names.end()) return;
      throw Error(
          fmt::format("{}: hakmem has no profile '{}'{}", option, value, suggest(value, names)));
    }
    if (takes(gate, value)) return;
    throw Error(fmt::format("{}: hakmem would ignore it; {} takes {} ({})", option, name,
                            gate.at("range").get<std::string>(),
                            gate.at("unit").get<std::string>()));
  }
  throw Error(fmt::format("{}: hakmem has no setting {}{}", option, name, suggest(name, known)));
}

}  // namespace hakbench
