// Profiles: what is accepted, what is said about the rest, and that schema.json says the same.
#include "coordinator/profile.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "model/error.h"

namespace hakbench {
namespace {

using nlohmann::json;

std::string error_of(const std::string &text) {
  try {
    parse_profile(text, "p.json");
  } catch (const Error &error) {
    return error.what();
  }
  return "accepted";
}

TEST(Profile, ErrorsNameFileLineKeyAndWhatWasExpected) {
  EXPECT_EQ(error_of("{\n  // comment\n  \"workload\": {\n    \"wss\": 400\n  }\n}"),
            "p.json:4: unknown key 'workload.wss'; did you mean 'ws'?");
  EXPECT_EQ(error_of("{\"run\": {\n\"epoch_s\": \"long\"}}"),
            "p.json:2: 'run.epoch_s' must be a number from 0.001 to 3600, not \"long\"");
  EXPECT_EQ(error_of("{\"run\": {\n\n\"launches\": 0}}"),
            "p.json:3: 'run.launches' must be a whole number from 1 to 10000, not 0");
  EXPECT_EQ(error_of("{\"run\": {\"launches\": 1.5}}"),
            "p.json:1: 'run.launches' must be a whole number from 1 to 10000, not 1.5");
  EXPECT_EQ(error_of("{\"run\": {\"noise\": {\"steal_shar\": 1}}}"),
            "p.json:1: unknown key 'run.noise.steal_shar'; did you mean 'steal_share'?");
  EXPECT_EQ(error_of("{\"workload\": {\"name\": \"random_mixd\"}}"),
            "p.json:1: unknown workload 'random_mixd'; did you mean 'random_mixed'?");
  EXPECT_EQ(error_of("{\n\"run\": 3}"), "p.json:2: 'run' must be an object { ... }, not 3");
  EXPECT_EQ(error_of("{\"run\": {\"cpus\": \"one\"}}"),
            "p.json:1: 'run.cpus' must be a list of CPUs like 1 or 1,3-4, not \"one\"");
  EXPECT_EQ(error_of("{\"allocator\": {\"hakmem\": {\"env\": {\n\"X\": 1}}}}"),
            "p.json:2: 'allocator.hakmem.env.X' must be a text, not 1");
  EXPECT_EQ(error_of("{\"run\": {},\n\"run\": {}}"), "p.json:2: key 'run' is given twice");
  EXPECT_EQ(error_of("[]"), "p.json:1: a profile is a JSON object { ... }");
  EXPECT_EQ(error_of("{\n\n\"run\" 3}").rfind("p.json:3: not valid JSON: ", 0), 0u);
  EXPECT_NE(
      error_of("{\"workload\": {\"ws\": 0}}").find("'workload.ws' must be a whole number from 1"),
      std::string::npos);
  EXPECT_NE(error_of("").find("p.json:1: not valid JSON"), std::string::npos);
}

TEST(Profile, AppliesAndMergesBack) {
  const json profile = parse_profile(R"({
    "description": "d",
    "workload": {"ws": 8192, "threads": 2, "seed": 9},
    "allocator": {"hakmem": {"env": {"X": "1", "Y": "1"}, "init": {"k": 1}}, "b": {"env": {"X": "2"}}},
    "run": {"epoch_s": 0.5, "ops": 1000, "prefault": 0, "cpus": "0", "noise": {"steal_share": 0.5}},
    "gate": {"margin": 0.03}
  })",
                                     "p.json");
  RunConfig config;
  apply_profile(profile, &config);
  EXPECT_EQ(config.workload.params.at("ws"), 8192u);
  EXPECT_EQ(config.workload.threads, 2u);
  EXPECT_EQ(config.workload.seed, 9u);
  EXPECT_EQ(config.epoch_s, 0.5);
  EXPECT_EQ(config.ops, 1000u);
  EXPECT_EQ(config.prefault_ops, 0u);
  EXPECT_EQ(config.noise.steal_share, 0.5);
  EXPECT_FALSE(config.noise.run_delay_share);
  EXPECT_EQ(config.launches, RunConfig().launches);

  SubjectConfig subject;
  subject.label = "b";
  subject.plugin.name = "hakmem";
  apply_profile(profile, &subject);
  EXPECT_EQ(subject.env.at("X"), "2") << "the label's setting wins over the plugin's";
  EXPECT_EQ(subject.env.at("Y"), "1");
  EXPECT_EQ(json::parse(subject.init_json), json({{"k", 1}}));

  config.subjects.push_back(subject);
  const json merged = merged_profile(config, profile);
  EXPECT_EQ(parse_profile(merged.dump(), "merged"), merged) << "a merged profile is a profile";
  EXPECT_EQ(merged["gate"]["margin"], 0.03);
  EXPECT_EQ(merged["run"]["ops"], 1000);
}

TEST(Profile, EveryShippedProfileIsValid) {
  int profiles = 0;
  for (const auto &entry : std::filesystem::directory_iterator(PROFILE_FOLDER)) {
    if (entry.path().extension() != ".json" || entry.path().stem() == "schema") continue;
    EXPECT_NO_THROW(load_profile(entry.path().string())) << entry.path();
    EXPECT_NE(load_profile(entry.path().string()).value("description", ""), "") << entry.path();
    ++profiles;
  }
  EXPECT_GT(profiles, 0);
}

TEST(Profile, SchemaAndCodeAreInStep) {
  std::ifstream file(PROFILE_FOLDER "/schema.json");
  const json schema = json::parse(file);
  const json &run = schema["properties"]["run"]["properties"];
  std::set<std::string> in_schema;
  for (const auto &[key, value] : run.items())
    if (key != "noise" && key != "soak") in_schema.insert("run." + key);
  for (const std::string part : {"noise", "soak"})
    for (const auto &[key, value] : run[part]["properties"].items())
      in_schema.insert("run." + part + "." + key);

  std::set<std::string> in_code;
  for (const ProfileKey &key : profile_keys()) {
    const std::string path = key.path;
    in_code.insert(path);
    const std::string name = path.substr(path.rfind('.') + 1);
    const std::string part = path.substr(0, path.rfind('.'));
    const json &entry = part == "run" ? run[name] : run[part.substr(4)]["properties"][name];
    EXPECT_EQ(entry["description"], key.doc) << path;
    const char *type = key.type == ProfileType::kText      ? "string"
                       : key.type == ProfileType::kInteger ? "integer"
                                                           : "number";
    EXPECT_EQ(entry["type"], type) << path;
    if (key.type == ProfileType::kText) continue;
    EXPECT_EQ(entry["minimum"].get<double>(), key.min) << path;
    EXPECT_EQ(entry["maximum"].get<double>(), key.max) << path;
  }
  EXPECT_EQ(in_schema, in_code);

  std::set<std::string> workload_keys = {"name", "threads", "seed", "file"};
  std::set<std::string> names;
  for (const WorkloadInfo &info : list_workloads()) {
    names.insert(info.name);
    for (const ParamInfo &param : info.params) workload_keys.insert(param.name);
  }
  const json &workload = schema["properties"]["workload"]["properties"];
  std::set<std::string> schema_keys;
  for (const auto &[key, value] : workload.items()) schema_keys.insert(key);
  EXPECT_EQ(schema_keys, workload_keys);
  EXPECT_EQ(workload["name"]["enum"].get<std::set<std::string>>(), names);
}

}  // namespace
}  // namespace hakbench
