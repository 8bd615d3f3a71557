// gates.cc - hakmem_gates json|markdown: the table of gates and profiles, for people and programs.
//
// Purpose:    docs/design/gates.md and share/hakmem/gates.json (`hakbench list gates`) say what
//             knobs.def and profiles.def say, and nothing by hand.
// Boundary:   reads the two tables at compile time, with the hardened variant's rows; links nothing
//             of the allocator. A tool of the build: never installed.
// Invariants: exit 0 written, 1 usage or a write that failed.
#define HAKMEM_HARDENED 1

#include <cstdio>
#include <cstring>
#include <string>

namespace {

struct Gate {
  std::string name, kind, type, default_value, range, unit, doc, note, verdict;
};

// What kind of value a unit stands for.
std::string type_of(const std::string &unit) {
  if (unit == "switch") return unit;
  if (unit.find('/') != std::string::npos) return "choice";
  return unit == "name" ? "text" : "number";
}

Gate knob(const char *name, long long default_value, long long min, long long max, const char *unit,
          const char *doc, const char *note, const char *verdict) {
  return {name,
          "environment",
          type_of(unit),
          std::to_string(default_value),
          std::to_string(min) + " to " + std::to_string(max),
          unit,
          doc,
          note,
          verdict};
}

Gate gate(const char *name, const char *kind, const char *default_value, const char *range,
          const char *unit, const char *doc, const char *note, const char *verdict) {
  return {name, kind, type_of(unit), default_value, range, unit, doc, note, verdict};
}

const Gate kGates[] = {
#define KNOB(field, ...) knob(__VA_ARGS__),
#define OBSERVE_TEXT(field, name, ...) gate(name, "environment", "", "a file", "name", __VA_ARGS__),
#define GATE(...) gate(__VA_ARGS__),
#include "config/knobs.def"
};

struct Profile {
  const char *name, *alias, *doc, *settings;
};

// Names of the knobs by their fields, for the settings of a profile.
std::string name_of(const std::string &field) {
#define KNOB(knob_field, name, ...) \
  if (field == #knob_field) return name;
#include "config/knobs.def"
  return field;
}

const Profile kProfiles[] = {
#define SET(field, value) #field "=" #value " "
#define PROFILE(name, alias, doc, settings) {name, alias, doc, settings},
#include "config/profiles.def"
};

// "HAKMEM_A=1, HAKMEM_B=2" of "a=1 b=2 ".
std::string settings_text(const char *settings) {
  std::string text;
  for (const char *at = settings; *at != '\0';) {
    const size_t field = strcspn(at, "=");
    const size_t end = strcspn(at, " ");
    if (!text.empty()) text += ", ";
    text += name_of(std::string(at, field)) + std::string(at + field, end - field);
    at += end + 1;
  }
  return text;
}

std::string quoted(const std::string &text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

void print_json() {
  printf("{\n  \"gates\": [");
  const char *separator = "\n";
  for (const Gate &g : kGates) {
    printf(
        "%s    {\"name\": %s, \"kind\": %s, \"type\": %s, \"default\": %s, \"range\": %s, "
        "\"unit\": "
        "%s, \"doc\": %s, \"note\": %s, \"verdict\": %s}",
        separator, quoted(g.name).c_str(), quoted(g.kind).c_str(), quoted(g.type).c_str(),
        quoted(g.default_value).c_str(), quoted(g.range).c_str(), quoted(g.unit).c_str(),
        quoted(g.doc).c_str(), quoted(g.note).c_str(), quoted(g.verdict).c_str());
    separator = ",\n";
  }
  printf("\n  ],\n  \"profiles\": [");
  separator = "\n";
  for (const Profile &p : kProfiles) {
    printf("%s    {\"name\": %s, \"alias\": %s, \"doc\": %s, \"settings\": %s}", separator,
           quoted(p.name).c_str(), quoted(p.alias).c_str(), quoted(p.doc).c_str(),
           quoted(settings_text(p.settings)).c_str());
    separator = ",\n";
  }
  printf("\n  ]\n}\n");
}

// docs/adr/0004-x.md, seen from docs/design/.
std::string link(const std::string &note) {
  const size_t slash = note.find('/') + 1;
  const std::string below_docs = note.substr(slash);
  const std::string shown = below_docs.substr(0, below_docs.find_first_of("-."));
  return "[" + shown + "](../" + below_docs + ")";
}

void print_gates(const char *kind) {
  printf("\n| name | default | range | unit | what it does | note | verdict |\n|%s\n",
         "---|---|---|---|---|---|---|");
  for (const Gate &g : kGates) {
    if (g.kind != kind) continue;
    printf("| `%s` | %s | %s | %s | %s | %s | %s |\n", g.name.c_str(), g.default_value.c_str(),
           g.range.c_str(), g.unit.c_str(), g.doc.c_str(), link(g.note).c_str(), g.verdict.c_str());
  }
}

void print_markdown() {
  printf(
      "# Gates\n\n"
      "Made from `allocator/src/config/knobs.def` and `profiles.def` by the build's target\n"
      "`gates_page`; a test compares. Change the tables, not this page. `hakbench list gates` "
      "shows\n"
      "the same. What a gate has to do with a box: [boxes](boxes.md).\n\n"
      "Verdicts: GO, NO-GO, NEUTRAL as measured; `open`: not measured yet; `-`: nothing to win.\n\n"
      "## Environment\n\n"
      "Read once, with the first allocation, or set by `hakmem_configure()`. A value that does "
      "not\n"
      "parse or is out of range, and a name that is none of these, is warned about once on "
      "standard\n"
      "error and ignored.\n");
  print_gates("environment");
  printf("\n## Build\n\nWhich variant a library is; the target that builds it is named.\n");
  print_gates("build");
  printf(
      "\n## Profiles\n\n"
      "`HAKMEM_PROFILE=NAME`. A variable of its own overrides the profile, whatever the order; "
      "what\n"
      "a profile does not name has its default. Why these values: "
      "[adr/0004](../adr/0004-speed-profiles.md).\n\n"
      "| name | alias | what it is for | sets |\n|---|---|---|---|\n");
  for (const Profile &p : kProfiles) {
    printf("| `%s` | %s | %s | %s |\n", p.name, p.alias, p.doc, settings_text(p.settings).c_str());
  }
}

}  // namespace

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "json") == 0) {
    print_json();
  } else if (argc == 2 && strcmp(argv[1], "markdown") == 0) {
    print_markdown();
  } else {
    fprintf(stderr, "usage: hakmem_gates json|markdown\n");
    return 1;
  }
  return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : 1;
}
