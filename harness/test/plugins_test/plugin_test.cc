// plugin_test.cc - the loader's errors, the generic adapter, and the check: every real plugin passes, every
// planted one fails in the test that was made for it.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "subject/plugin_check.h"
#include "subject/plugin_loader.h"

namespace hakbench {

void PrintTo(const PluginSpec &spec, std::ostream *out) { *out << spec.name; }

namespace {

namespace fs = std::filesystem;

std::string planted(const std::string &name) { return TEST_PLANTED_DIR "/" + name + ".so"; }

std::string load_error(const std::string &path) {
  LoadedPlugin plugin;
  std::string error;
  EXPECT_FALSE(load_plugin({"x", path}, &plugin, &error)) << path;
  EXPECT_EQ(error.find('\n'), std::string::npos);
  EXPECT_EQ(error.rfind("plugin x (" + path + "): ", 0), 0u) << error;
  return error.substr(error.find("): ") + 3);
}

LoadedPlugin load(const std::string &path) {
  LoadedPlugin plugin;
  std::string error;
  EXPECT_TRUE(load_plugin({"x", path}, &plugin, &error)) << error;
  if (plugin.table != nullptr && plugin.table->init != nullptr) {
    EXPECT_EQ(plugin.table->init("{}"), 0);
  }
  return plugin;
}

std::string failed_checks(const LoadedPlugin &plugin) {
  std::string failed;
  for (const CheckResult &result : check_plugin(plugin)) {
    EXPECT_FALSE(result.detail.empty()) << result.name;
    if (!result.ok) failed += (failed.empty() ? "" : " ") + result.name;
  }
  return failed;
}

std::string detail_of(const LoadedPlugin &plugin, const std::string &check) {
  for (const CheckResult &result : check_plugin(plugin)) {
    if (result.name == check) return result.detail;
  }
  return "not run";
}

TEST(Resolve, TakesNamesAndPaths) {
  PluginSpec spec;
  std::string error;
  ASSERT_TRUE(resolve_plugin("floor", TEST_PLUGIN_DIR, &spec, &error)) << error;
  EXPECT_EQ(spec.name, "floor");
  EXPECT_EQ(spec.path, TEST_PLUGIN_DIR "/floor.so");
  ASSERT_TRUE(resolve_plugin("mine=" + planted("sound"), TEST_PLUGIN_DIR, &spec, &error)) << error;
  EXPECT_EQ(spec.name, "mine");
  EXPECT_EQ(spec.path, planted("sound"));
  ASSERT_TRUE(resolve_plugin(planted("sound"), TEST_PLUGIN_DIR, &spec, &error)) << error;
  EXPECT_EQ(spec.name, "sound");
}

TEST(Resolve, UnknownNameListsWhatThereIs) {
  const fs::path dir = fs::path(testing::TempDir()) / "resolve_test";
  fs::create_directories(dir);
  for (const char *file : {"floor.so", "glibc.so"}) std::ofstream empty(dir / file);
  PluginSpec spec;
  std::string error;
  EXPECT_FALSE(resolve_plugin("nonesuch", dir, &spec, &error));
  EXPECT_EQ(error, "no plugin 'nonesuch' in " + dir.string() +
                       " (there: floor, glibc); name one of these, or a library as "
                       "NAME=/path/to/lib.so");
  EXPECT_FALSE(resolve_plugin("jemalloc", dir, &spec, &error));
  EXPECT_EQ(error, "no plugin 'jemalloc' in " + dir.string() +
                       " (there: floor, glibc); install libjemalloc-dev, then configure and build "
                       "again");
  fs::remove_all(dir);
}

TEST(Resolve, MissingFileAndEmptyText) {
  PluginSpec spec;
  std::string error;
  EXPECT_FALSE(resolve_plugin("y=/nonesuch.so", TEST_PLUGIN_DIR, &spec, &error));
  EXPECT_EQ(error, "plugin y: no such file: /nonesuch.so; check the path");
  EXPECT_FALSE(resolve_plugin("=/x.so", TEST_PLUGIN_DIR, &spec, &error));
  EXPECT_EQ(error, "'=/x.so' is no plugin: expected NAME, NAME=/path/to/lib.so or /path/to/lib.so");
  EXPECT_FALSE(resolve_plugin("", TEST_PLUGIN_DIR, &spec, &error));
}

TEST(Load, ErrorsNameFaultAndMend) {
  EXPECT_EQ(load_error("/nonesuch.so"), "No such file or directory; check the path");
  EXPECT_EQ(load_error("/etc/passwd"), "is not a shared object (no ELF file); name a .so");
  EXPECT_EQ(load_error(planted("no_malloc")),
            "has no allocator_plugin_query and defines no malloc with its free (mi_malloc, "
            "rpmalloc, je_malloc, tc_malloc, sn_malloc, malloc); name an allocator's library");
  EXPECT_EQ(load_error(planted("abi")),
            "speaks ABI version 2, expected 1; build the plugin with this allocator_plugin.h");
  EXPECT_EQ(load_error(planted("small_struct")),
            "its table has " + std::to_string(ALLOCATOR_PLUGIN_FIRST_SIZE - sizeof(void *)) +
                " bytes, expected at least " + std::to_string(ALLOCATOR_PLUGIN_FIRST_SIZE) +
                "; build the plugin with this allocator_plugin.h");
  EXPECT_EQ(load_error(planted("refuses")),
            "refuses ABI version 1, or its allocator is missing; build the plugin with this "
            "allocator_plugin.h");
  EXPECT_EQ(load_error(planted("no_free")),
            "its table lacks free; every plugin must offer name, malloc and free");
}

TEST(Load, ATableOfTheFirstVersionHasNoLaterMembers) {
  const LoadedPlugin plugin = load(planted("first_table"));
  ASSERT_NE(plugin.table->ledger_json, nullptr) << "planted behind the table's end";
  EXPECT_EQ(whole_table(*plugin.table).ledger_json, nullptr);
  EXPECT_EQ(whole_table(*plugin.table).malloc, plugin.table->malloc);
  EXPECT_NE(whole_table(*load(planted("sound")).table).free, nullptr);
}

TEST(Load, TextFileWithElfMagicIsReportedByTheLoader) {
  const std::string path = testing::TempDir() + "half_elf.so";
  std::ofstream(path) << "\177ELF and no more";
  EXPECT_EQ(load_error(path).rfind("cannot be loaded: ", 0), 0u);
  fs::remove(path);
}

TEST(Load, SaysWhatWasLoaded) {
  const LoadedPlugin plugin = load(planted("sound"));
  EXPECT_FALSE(plugin.generic);
  EXPECT_EQ(plugin.link_kind, "static in plugin");
  EXPECT_EQ(plugin.path, fs::canonical(planted("sound")));
  EXPECT_EQ(plugin.library_path, plugin.path);
  EXPECT_EQ(plugin.sha256.size(), 64u);
  EXPECT_EQ(plugin.build_id, "0123456789abcdef");  // given to the linker by CMakeLists.txt
}

TEST(Check, SoundPluginPasses) { EXPECT_EQ(failed_checks(load(planted("sound"))), ""); }

TEST(Check, CatchesPlantedFaults) {
  EXPECT_EQ(failed_checks(load(planted("misaligned"))), "alignment");
  EXPECT_EQ(failed_checks(load(planted("null"))),
            "alignment calloc_zeroes usable_size no_overlap cross_thread_free");
  EXPECT_EQ(failed_checks(load(planted("nonzero"))), "calloc_zeroes");
  EXPECT_EQ(failed_checks(load(planted("calloc_overflow"))), "calloc_overflow");
  EXPECT_EQ(failed_checks(load(planted("realloc"))), "realloc_keeps");
  EXPECT_EQ(failed_checks(load(planted("usable"))), "usable_size");
  EXPECT_NE(failed_checks(load(planted("overlap"))).find("no_overlap"), std::string::npos);
  EXPECT_EQ(failed_checks(load(planted("from_libc"))), "canary");
}

TEST(Check, CatchesForeignPointers) {
  const LoadedPlugin plugin = load(planted("foreign_pointer"));
  const std::vector<CheckResult> results = check_plugin(plugin);
  ASSERT_FALSE(results.empty());
  EXPECT_EQ(results[0].name, "pointers");
  EXPECT_FALSE(results[0].ok);
  EXPECT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].detail.rfind("free lies in ", 0), 0u) << results[0].detail;
}

TEST(Check, CatchesWrappers) {
  if (!fs::exists(planted("wrapper"))) GTEST_SKIP() << "built without mimalloc";
  EXPECT_EQ(failed_checks(load(planted("wrapper"))), "no_wrapper");
}

TEST(Check, FloorGetsThePointerChecksOnly) {
  const LoadedPlugin plugin = load(TEST_PLUGIN_DIR "/floor.so");
  EXPECT_EQ(check_plugin(plugin).size(), 2u);
  EXPECT_EQ(failed_checks(plugin), "");
}

class BuiltPlugin : public testing::TestWithParam<PluginSpec> {};

TEST_P(BuiltPlugin, PassesTheCheck) {
  const LoadedPlugin plugin = load(GetParam().path);
  EXPECT_EQ(failed_checks(plugin), "");
  EXPECT_EQ(plugin.table->name, GetParam().name);
  EXPECT_STRNE(plugin.table->version, "");
  EXPECT_FALSE(plugin.build_id.empty());
  EXPECT_FALSE(plugin.generic);
}

TEST_P(BuiltPlugin, RefusesMalformedAndUnknownSettings) {
  const LoadedPlugin plugin = load(GetParam().path);
  ASSERT_NE(plugin.table->init, nullptr);
  for (const char *bad :
       {"", "{", "[]", "{\"NONESUCH\": \"1\"}", "{\"A\": }", "{\"A\" 1}", "{\"A\": {}}", "{} x"}) {
    EXPECT_NE(plugin.table->init(bad), 0) << bad;
  }
  EXPECT_EQ(plugin.table->init(" { } "), 0);
}

TEST_P(BuiltPlugin, StatisticsAreWhole) {
  const LoadedPlugin plugin = load(GetParam().path);
  if (plugin.table->stats_json == nullptr) GTEST_SKIP() << "not offered";
  std::string text(plugin.table->stats_json(nullptr, 0) + 1, '\0');
  const size_t length = plugin.table->stats_json(text.data(), text.size());
  ASSERT_LT(length, text.size() + 64);  // counters may have grown a digit
  EXPECT_EQ(text.front(), '{');
}

TEST_P(BuiltPlugin, PurgesAndGoesOn) {
  const LoadedPlugin plugin = load(GetParam().path);
  if (plugin.table->purge == nullptr) GTEST_SKIP() << "not offered";
  void *const kept = plugin.table->malloc(100);
  std::memset(kept, 7, 100);
  plugin.table->purge(ALLOCATOR_PURGE_THREAD);
  plugin.table->purge(ALLOCATOR_PURGE_ALL);
  EXPECT_EQ(static_cast<unsigned char *>(kept)[99], 7);
  plugin.table->free(kept);
}

INSTANTIATE_TEST_SUITE_P(Plugins, BuiltPlugin, testing::ValuesIn(list_plugins(TEST_PLUGIN_DIR)),
                         [](const testing::TestParamInfo<PluginSpec> &test) {
                           return test.param.name;
                         });

class GenericLibrary : public testing::TestWithParam<const char *> {};

// The library behind a plugin, loaded by its path as a user's would be.
TEST_P(GenericLibrary, IsWrappedAndPasses) {
  const std::string plugin_path = std::string(TEST_PLUGIN_DIR "/") + GetParam() + ".so";
  if (!fs::exists(plugin_path)) GTEST_SKIP() << "built without " << GetParam();
  const LoadedPlugin comparator = load(plugin_path);
  const LoadedPlugin plugin = load(comparator.library_path);
  EXPECT_TRUE(plugin.generic);
  EXPECT_EQ(plugin.link_kind, "generic adapter");
  EXPECT_EQ(plugin.library_path, comparator.library_path);
  EXPECT_EQ(plugin.table->malloc, comparator.table->malloc);
  EXPECT_EQ(plugin.table->free, comparator.table->free);
  // A plugin leaves out what its library is known to do wrong; the adapter can't know.
  const bool known_fault = comparator.table->aligned_alloc == nullptr;
  EXPECT_EQ(failed_checks(plugin), known_fault ? "aligned_alloc" : "");
}

INSTANTIATE_TEST_SUITE_P(Libraries, GenericLibrary,
                         testing::Values("mimalloc", "jemalloc", "tcmalloc", "glibc"),
                         [](const testing::TestParamInfo<const char *> &test) {
                           return std::string(test.param);
                         });

TEST(Generic, RpmallocIsStartedAndStopped) {
  const LoadedPlugin plugin = load(planted("rpmalloc_like"));
  EXPECT_TRUE(plugin.generic);
  EXPECT_NE(plugin.table->init, nullptr);
  EXPECT_NE(plugin.table->thread_begin, nullptr);
  EXPECT_NE(plugin.table->thread_end, nullptr);
  EXPECT_EQ(failed_checks(plugin), "");
  EXPECT_NE(detail_of(plugin, "aligned_alloc"), "not run");
}

}  // namespace
}  // namespace hakbench
