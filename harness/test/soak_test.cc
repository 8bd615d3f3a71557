// Soaks of the real program: turns, modes, ends, resumption, metrics; and the parts that need no process.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "coordinator/schedule.h"
#include "coordinator/suspend_watch.h"
#include "output/csv.h"
#include "output/resume_point.h"
#include "output/soak_progress.h"
#include "run_fixture.h"

namespace hakbench {
namespace {

std::vector<uint32_t> first_turns(const SoakRotation &rotation, uint64_t count) {
  std::vector<uint32_t> turns;
  for (uint64_t i = 0; i < count; ++i) turns.push_back(rotation.subject(i));
  return turns;
}

TEST(SoakRotation, SubjectsTakeTurnsAndOneStandsBeside) {
  EXPECT_EQ(first_turns({1, 0}, 3), (std::vector<uint32_t>{0, 0, 0}));
  EXPECT_EQ(first_turns({3, 0}, 7), (std::vector<uint32_t>{0, 1, 2, 0, 1, 2, 0}));
  EXPECT_EQ(first_turns({2, 6}, 13),
            (std::vector<uint32_t>{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0}));
  EXPECT_EQ(first_turns({3, 4}, 9), (std::vector<uint32_t>{0, 1, 0, 2, 1, 0, 1, 2, 0}));
}

TEST(SoakRotation, EachSubjectHasATurnWithinARound) {
  for (uint32_t subjects = 1; subjects <= 8; ++subjects)
    for (uint32_t every : {0u, 2u, 3u, 6u}) {
      if (every != 0 && subjects == 1) continue;
      const SoakRotation rotation(subjects, every);
      const std::vector<uint32_t> turns = first_turns(rotation, rotation.round());
      EXPECT_EQ(std::set<uint32_t>(turns.begin(), turns.end()).size(), subjects)
          << subjects << " beside every " << every;
    }
}

TEST(SuspendWatch, TellsSleepFromTheClocksOwnNoise) {
  int64_t offset_ns = 5'000'000'000;
  SuspendWatch watch([&] { return offset_ns; });
  EXPECT_EQ(watch.slept_ns(), 0) << "slept before it looked";
  offset_ns += 1000;
  EXPECT_EQ(watch.slept_ns(), 0) << "the two clocks are not read at once";
  offset_ns += 3'000'000'000;
  EXPECT_EQ(watch.slept_ns(), 3'000'001'000);
  EXPECT_EQ(watch.slept_ns(), 0) << "told once";
}

TEST(RunningSlope, IsThatOfLeastSquares) {
  RunningSlope slope;
  slope.add(1, 2);
  slope.add(2, 3);
  EXPECT_FALSE(slope.slope());
  slope.add(4, 11);
  EXPECT_NEAR(*slope.slope(), 22.0 / 7, 1e-12);
  RunningSlope upright;
  for (int i = 0; i < 5; ++i) upright.add(7, i);
  EXPECT_FALSE(upright.slope()) << "no time went by";
}

class SoakTest : public RunTest {
 protected:
  // Short epochs for 300 ms, unless `more` says otherwise.
  std::vector<std::string> soak(const std::vector<std::string> &more) const {
    std::vector<std::string> arguments = {"soak", "--no-report", "-o", result_};
    const auto add_default = [&](const std::string &option, const std::string &value) {
      if (std::find(more.begin(), more.end(), option) == more.end())
        arguments.insert(arguments.end(), {option, value});
    };
    add_default("--ops", "100000");
    add_default("--duration", "300ms");
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  void wait_for_start() const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!fs::exists(result_ + "/manifest.json") ||
           events().find(",launch,") == std::string::npos) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  void wait_for_rows(size_t count) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (epochs().size() < count && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
};

TEST_F(SoakTest, SubjectsTakeTurnsUntilTheTimeIsUp) {
  const Outcome outcome = run(soak(
      {"-a", "floor", "-a", "glibc", "--beside", "floor", "--beside-every", "4", "--warmup", "1"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  const std::vector<Row> rows = epochs();
  std::string turns;
  for (const Row &row : rows) {
    EXPECT_EQ(row.at("launch"), "0");
    EXPECT_EQ(row.at("block") + row.at("slot") + row.at("order"), "");
    EXPECT_GT(std::stoll(row.at("harness_rss_kb")), 100);
    EXPECT_EQ(row.at("drained_rss_kb") + row.at("idle_rss_kb"), "");
    if (row.at("kind") == "throughput") turns += row.at("subject");
  }
  EXPECT_EQ(turns.substr(0, 8), "abacbabc");
  const double span_ns = std::stod(rows.back().at("start_ns")) - std::stod(rows[0].at("start_ns"));
  EXPECT_GT(span_ns, 0.1e9);
  const json facts = manifest();
  EXPECT_EQ(facts["command"], "soak");
  EXPECT_EQ(facts["status"], "complete");
  EXPECT_EQ(facts["epochs"], rows.size());
  EXPECT_EQ(facts["reference"], "c");
  EXPECT_EQ(facts["launches"], 1);
  EXPECT_EQ(facts["profile"]["run"]["soak"]["beside"], "c");
  EXPECT_FALSE(facts.contains("planned_epochs"));
}

TEST_F(SoakTest, TooShortATimeStillGivesEachAnEpoch) {
  ASSERT_EQ(run(soak({"-a", "floor", "--beside", "glibc", "--duration", "1ms"})).exit_code, 0);
  std::map<std::string, int> counted;
  for (const Row &row : epochs()) counted[row.at("subject")] += row.at("kind") == "throughput";
  EXPECT_EQ(counted["a"], 5);
  EXPECT_EQ(counted["b"], 1);
}

// Where it is known before: with --ops nobody knows yet how long an epoch takes.
TEST_F(SoakTest, AnEpochLongerThanTheTimeIsRefused) {
  const auto of = [&](const std::vector<std::string> &more) {
    std::vector<std::string> arguments = {"soak", "-a", "floor", "--no-report", "-o", result_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  const std::string mend = "; give a shorter --epoch or a longer --duration";
  expect_refused(of({"--duration", "1s", "--epoch", "2s"}),
                 "the --epoch of 2 s is longer than the --duration of 1 s" + mend);
  expect_refused(of({"--duration", "1s"}),
                 "the default epoch of 5 s is longer than the --duration of 1 s" + mend);
  expect_refused(of({"-p", "soak_60m", "--duration", "2s"}),
                 "the profile's epoch of 5 s is longer than the --duration of 2 s" + mend);
  expect_refused(of({"--epoch", "2h"}),
                 "the --epoch of 7200 s is longer than the soak's 3600 s" + mend);
  expect_refused(
      of({"--mode", "ratchet", "--duration", "1s", "--epoch", "500ms", "--idle", "2s"}),
      "the --epoch of 0.5 s and the idle 2 s behind it are longer than the --duration of 1 s; give "
      "a shorter --epoch or --idle or a longer --duration");
  EXPECT_FALSE(fs::exists(result_));

  ASSERT_EQ(run(of({"--duration", "0.3", "--epoch", "300ms"})).exit_code, 0) << "one epoch fits";
}

// That its time was long enough when it began says nothing of the time that it is resumed for.
TEST_F(SoakTest, AnEpochLongerThanTheTimeIsRefusedWhenResumed) {
  const auto begin = [&](const std::vector<std::string> &more) {
    fs::remove_all(result_);
    std::vector<std::string> arguments = {"soak", "-a", "floor", "--duration", "120s"};
    arguments.insert(arguments.end(), {"--warmup", "0", "--no-report", "-o", result_});
    arguments.insert(arguments.end(), more.begin(), more.end());
    run(
        arguments, [] {},
        [&](pid_t child) {
          wait_for_start();
          kill(child, SIGKILL);
        });
  };
  const std::vector<std::string> resume = {"soak",       "--resume", result_,
                                           "--duration", "1s",       "--no-report"};
  begin({"--epoch", "30s"});
  expect_refused(
      resume,
      "the soak's epoch of 30 s is longer than the --duration of 1 s; give a longer --duration");
  EXPECT_EQ(manifest()["status"], "running") << "untouched";
  begin({"--mode", "ratchet", "--epoch", "500ms", "--idle", "20s"});
  expect_refused(resume,
                 "the soak's epoch of 0.5 s and the idle 20 s behind it are longer than the "
                 "--duration of 1 s; give a longer --duration");
}

TEST_F(SoakTest, RatchetDrainsAndWatchesTheIdleSubject) {
  // Blocks this large are mappings of their own in glibc, which go when they are freed.
  const Outcome outcome =
      run(soak({"-a", "glibc", "--mode", "ratchet", "--idle", "40ms", "--ws", "200", "--param",
                "min_size=300000", "--param", "max_size=300000", "--ops", "2000"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  std::map<std::string, std::vector<Row>> samples;
  for (const Row &sample : read_csv(result_ + "/samples.csv"))
    samples[sample.at("seq")].push_back(sample);
  size_t drained = 0;
  for (const Row &row : epochs()) {
    if (row.at("kind") != "throughput") {
      EXPECT_EQ(row.at("drained_rss_kb"), "") << "warm-up is not drained";
      continue;
    }
    ++drained;
    EXPECT_GT(std::stoll(row.at("live_bytes")), 1'000'000) << "as it was before the drain";
    EXPECT_LT(std::stoll(row.at("drained_rss_kb")), std::stoll(row.at("rss_kb")))
        << "all was freed";
    const std::vector<Row> &own = samples[row.at("seq")];
    ASSERT_EQ(own.size(), 20u);
    EXPECT_EQ(own.front().at("rss_kb"), row.at("drained_rss_kb"));
    EXPECT_EQ(own.back().at("rss_kb"), row.at("idle_rss_kb"));
    EXPECT_EQ(own.back().at("epoch"), row.at("epoch"));
    EXPECT_GE(std::stod(own.back().at("since_drain_s")), 0.04);
    for (size_t i = 1; i < own.size(); ++i)
      EXPECT_GT(std::stod(own[i].at("since_drain_s")), std::stod(own[i - 1].at("since_drain_s")));
  }
  EXPECT_GE(drained, 2u);
  EXPECT_EQ(samples.size(), drained);
}

TEST_F(SoakTest, ModesChooseTheirWorkload) {
  for (const auto &[mode, workload] : std::map<std::string, std::string>{
           {"phases", "phases"}, {"growth", "sawtooth"}, {"churn", "thread_churn"}}) {
    const Outcome outcome = run(
        soak({"-a", "glibc", "--mode", mode, "--ops", "10000", "--duration", "50ms", "--force"}));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
    EXPECT_EQ(epochs().back().at("workload"), workload);
    EXPECT_EQ(manifest()["profile"]["run"]["soak"]["mode"], mode);
  }
}

TEST_F(SoakTest, GoesOnAfterItWasKilled) {
  run(
      soak({"-a", "floor", "-a", "glibc", "--duration", "60s"}), [] {},
      [&](pid_t child) {
        wait_for_rows(20);
        kill(child, SIGKILL);
      });
  const std::vector<Row> before = epochs();
  ASSERT_GE(before.size(), 20u);
  EXPECT_EQ(manifest()["status"], "running");
  const double soaked_s = find_resume_point(result_).soaked_s;
  EXPECT_GT(soaked_s, 0.0);
  EXPECT_LT(soaked_s, 20.0);

  const std::vector<std::string> resume = {
      "soak", "--resume", result_, "--duration", std::to_string(soaked_s + 0.2), "--no-report"};
  const Outcome outcome = run(resume);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  const std::vector<Row> rows = epochs();
  ASSERT_GT(rows.size(), before.size());
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(rows[i], before[i]);
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].at("seq"), std::to_string(i));
    EXPECT_EQ(rows[i].at("launch"), i < before.size() ? "0" : "1");
  }
  EXPECT_EQ(rows[before.size()].at("kind"), "warmup");
  EXPECT_NE(events().find(",resumed,from_launch=1"), std::string::npos) << events();
  EXPECT_EQ(manifest()["status"], "complete");
  EXPECT_EQ(manifest()["launches"], 2);
  expect_refused(resume, "nothing to resume");
  expect_refused({"soak", "--resume", result_, "--mode", "churn"},
                 "--mode does not go with --resume");
  expect_refused({"ab", "--resume", result_}, "hakbench soak --resume");
}

TEST_F(SoakTest, SoakedTimeIsSummedOverLaunches) {
  fs::create_directories(result_);
  std::ofstream file(result_ + "/epochs.csv");
  file << epoch_header() << "\n";
  Epoch epoch;
  epoch.elapsed_ns = 1'000'000'000;
  const std::pair<int64_t, int64_t> launch_and_start_s[] = {{0, 100}, {0, 104}, {1, 3}, {1, 3}};
  for (const auto &[launch, start_s] : launch_and_start_s) {
    epoch.seq = epoch.seq.value_or(-1) + 1;
    epoch.launch = launch;
    epoch.start_ns = start_s * 1'000'000'000;
    file << epoch_row(epoch) << "\n";
  }
  file.close();
  EXPECT_DOUBLE_EQ(find_resume_point(result_).soaked_s, 5 + 1);
}

TEST_F(SoakTest, SubjectThatDiesEndsTheSoakWithOneError) {
  const Outcome outcome = run(
      soak({"-a", "floor", "-a", "glibc", "--duration", "60s"}), [] {},
      [&](pid_t) {
        wait_for_rows(8);
        const std::string text = events();
        kill(std::stoi(text.substr(text.find("pid=") + 4)), SIGKILL);
      });
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.error.find("hakbench: error: allocator floor (subject a), launch 0, epoch "),
            std::string::npos)
      << outcome.error;
  EXPECT_EQ(manifest()["status"], "failed");
  EXPECT_GE(epochs().size(), 8u);
  EXPECT_EQ(run({"soak", "--resume", result_, "--duration", "1s", "--no-report"}).exit_code, 0)
      << "however it ended";
}

TEST_F(SoakTest, SignalsKeepTheRowsUnlessIgnoredFromTheStart) {
  const Outcome ended = run(
      soak({"-a", "floor", "--duration", "60s"}), [] { signal(SIGHUP, SIG_DFL); },
      [&](pid_t child) {
        wait_for_rows(4);
        kill(child, SIGHUP);
      });
  EXPECT_EQ(ended.exit_code, 128 + SIGHUP);
  EXPECT_EQ(manifest()["status"], "interrupted");
  EXPECT_EQ(static_cast<size_t>(manifest()["epochs"]), epochs().size());
  fs::remove_all(result_);
  const Outcome nohup = run(
      soak({"-a", "floor", "--force"}), [] { signal(SIGHUP, SIG_IGN); },
      [&](pid_t child) {
        wait_for_rows(4);
        kill(child, SIGHUP);
      });
  EXPECT_EQ(nohup.exit_code, 0) << "started with nohup";
}

// A clock that jumps as if the machine had slept is laid under the program; see plugins/sleeping_clock.c.
TEST_F(SoakTest, EpochThatTheMachineSleptInIsQuarantined) {
  const Outcome outcome = run(soak({"-a", "floor", "--duration", "700ms"}), [] {
    setenv("LD_PRELOAD", TEST_PLUGIN_FOLDER "/sleeping_clock.so", 1);
  });
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  std::string quarantined;
  for (const Row &row : epochs())
    if (row.at("quarantined") == "1") quarantined += row.at("seq") + ";";
  ASSERT_EQ(std::count(quarantined.begin(), quarantined.end(), ';'), 1) << quarantined;
  quarantined.pop_back();
  EXPECT_NE(events().find(",a,0,suspended,seq=" + quarantined + " slept_s=3600.0"),
            std::string::npos)
      << events();
}

// As Ctrl-Z stops both, and fg lets both go on. A hang is 0.3 s and 20 times 10 ms.
TEST_F(SoakTest, TimeInWhichItWasStoppedIsNoHangAndIsQuarantined) {
  const Outcome outcome = run(
      {"soak", "-a", "floor", "--epoch", "10ms", "--timeout", "300ms", "--duration", "60s",
       "--no-report", "-o", result_},
      [] {},
      [&](pid_t child) {
        using std::chrono::milliseconds;
        wait_for_rows(4);
        const std::string text = events();
        const pid_t subject = std::stoi(text.substr(text.find("pid=") + 4));
        kill(subject, SIGSTOP);
        kill(child, SIGSTOP);
        std::this_thread::sleep_for(milliseconds(2000));
        const size_t before = epochs().size();
        kill(child, SIGCONT);
        std::this_thread::sleep_for(milliseconds(50));  // it finds its subject not done
        kill(subject, SIGCONT);
        wait_for_rows(before + 4);
        kill(child, SIGTERM);
      });
  EXPECT_EQ(outcome.exit_code, 128 + SIGTERM) << outcome.error;
  std::string quarantined;
  for (const Row &row : epochs())
    if (row.at("quarantined") == "1") quarantined += row.at("seq") + ";";
  ASSERT_EQ(std::count(quarantined.begin(), quarantined.end(), ';'), 1) << quarantined;
  quarantined.pop_back();
  EXPECT_NE(events().find(",a,0,stopped,seq=" + quarantined + "\n"), std::string::npos) << events();
}

TEST_F(SoakTest, RowsComeOnStandardOutputToo) {
  const Outcome outcome = run(soak({"-a", "floor", "--csv"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(outcome.out, read_file(result_ + "/epochs.csv"));
}

TEST_F(SoakTest, BadInputIsOneLineThatNamesTheThing) {
  expect_refused({"soak"}, "--allocator is required");
  expect_refused(soak({"-a", "floor", "--mode", "phase"}), "did you mean 'phases'");
  expect_refused(soak({"-a", "floor", "--mode", "phases", "-w", "larson"}), "--workload");
  expect_refused(soak({"-a", "floor", "--idle", "1s"}), "--idle goes with --mode ratchet");
  expect_refused(soak({"-a", "floor", "--beside-every", "3"}), "--beside-every needs --beside");
  expect_refused(soak({"-a", "floor", "--beside", "glibc", "--beside-every", "1"}),
                 "--beside-every 1");
  expect_refused(soak({"-a", "floor", "--prometheus", "65536"}), "--prometheus 65536");
  expect_refused(soak({"-a", "floor", "--prometheus", "/nosuch/file"}), "/nosuch/file");
  expect_refused({"soak", "-a", "floor", "--epoch", "1ms", "--duration", "2h"},
                 "7200000 epochs would be too many rows");
  EXPECT_FALSE(fs::exists(result_)) << "nothing is left of a soak that never began";
}

TEST_F(SoakTest, MetricsFileCountsWhatIsOnRecord) {
  const std::string file = folder_ + "/metrics";
  ASSERT_EQ(run(soak({"-a", "floor", "-a", "glibc", "--prometheus", file})).exit_code, 0);
  const std::string text = read_file(file);
  std::map<std::string, std::pair<int, int64_t>> counted;  // by subject: epochs, ops
  std::map<std::string, Row> last;
  for (const Row &row : epochs()) {
    ++counted[row.at("subject")].first;
    counted[row.at("subject")].second += std::stoll(row.at("ops"));
    last[row.at("subject")] = row;
  }
  const auto expect_sample = [&](const std::string &name, const std::string &subject,
                                 const std::string &allocator, int64_t value) {
    const std::string line = "\n" + name + "{subject=\"" + subject + "\",allocator=\"" + allocator +
                             "\"} " + std::to_string(value) + "\n";
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
    EXPECT_NE(text.find("# HELP " + name + " "), std::string::npos);
    EXPECT_NE(text.find("# TYPE " + name + " "), std::string::npos);
  };
  const std::pair<std::string, std::string> subjects[] = {{"a", "floor"}, {"b", "glibc"}};
  for (const auto &[label, allocator] : subjects) {
    expect_sample("hakbench_epochs_total", label, allocator, counted[label].first);
    expect_sample("hakbench_ops_total", label, allocator, counted[label].second);
    expect_sample("hakbench_rss_bytes", label, allocator,
                  std::stoll(last[label].at("rss_kb")) * 1024);
    expect_sample("hakbench_live_bytes", label, allocator,
                  std::stoll(last[label].at("live_bytes")));
  }
  EXPECT_EQ(text.find("hakbench_drained_rss_bytes{"), std::string::npos) << "was not measured";
}

int connect_to(int port) {
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  EXPECT_EQ(connect(client, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
  return client;
}

// Asks a byte at a time, for half a minute at most. Seconds until the server cuts it off.
double drip(int port) {
  using Clock = std::chrono::steady_clock;
  const int client = connect_to(port);
  const auto begin = Clock::now();
  for (int i = 0; i < 300 && send(client, "G", 1, MSG_NOSIGNAL) == 1; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  close(client);
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::string http_get(int port, const std::string &path) {
  const int client = connect_to(port);
  std::string reply;
  {
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n";
    EXPECT_EQ(write(client, request.data(), request.size()), static_cast<ssize_t>(request.size()));
    char chunk[4096];
    for (ssize_t n; (n = read(client, chunk, sizeof chunk)) > 0;)
      reply.append(chunk, static_cast<size_t>(n));
  }
  close(client);
  return reply;
}

TEST_F(SoakTest, MetricsAreServedOnLoopback) {
  std::string metrics;
  std::string elsewhere;
  double dripped_s = 0;
  const Outcome outcome = run(
      soak({"-a", "floor", "--duration", "60s", "--prometheus", "0"}), [] {},
      [&](pid_t child) {
        wait_for_rows(4);
        const std::string out = read_file(folder_ + "/stdout");
        const std::string before_port = "http://127.0.0.1:";
        const size_t at = out.find(before_port);
        if (at != std::string::npos) {
          const int port = std::stoi(out.substr(at + before_port.size()));
          metrics = http_get(port, "/metrics");
          elsewhere = http_get(port, "/");
          dripped_s = drip(port);
        }
        kill(child, SIGTERM);
      });
  EXPECT_EQ(outcome.exit_code, 128 + SIGTERM);
  EXPECT_EQ(metrics.rfind("HTTP/1.1 200 OK\r\n", 0), 0u) << metrics << outcome.out;
  EXPECT_NE(metrics.find("hakbench_ops_per_second{subject=\"a\",allocator=\"floor\"} "),
            std::string::npos)
      << metrics;
  EXPECT_EQ(elsewhere.rfind("HTTP/1.1 404 ", 0), 0u) << elsewhere;
  EXPECT_LT(dripped_s, 10) << "one client holds the server, and the end of the soak";
}

}  // namespace
}  // namespace hakbench
