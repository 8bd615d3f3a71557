// metrics_sink.cc - where prometheus.h's documents go: a file, or a loopback server.
//
// Boundary:   declared in prometheus.h. Reads no more of a request than it must, and cuts a
//             slow client off.
// Threads:    the server answers on a thread of its own; the document is handed over under a mutex.
#include <arpa/inet.h>
#include <errno.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>

#include "model/error.h"
#include "output/line_file.h"
#include "output/prometheus.h"

namespace hakbench {
namespace {

class FileMetrics : public MetricsSink {
 public:
  explicit FileMetrics(std::string path) : path_(std::move(path)) { replace_file(path_, ""); }
  void publish(const std::string &document) override { replace_file(path_, document); }
  std::string where() const override { return "file " + path_; }

 private:
  const std::string path_;
};

// One request at a time, one answer a connection. A client that is slow to ask or to listen is cut off.
class HttpMetrics : public MetricsSink {
 public:
  explicit HttpMetrics(const sockaddr_in &wanted) {
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    stop_ = eventfd(0, EFD_CLOEXEC);
    const int on = 1;
    setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = wanted;
    socklen_t size = sizeof address;
    auto *const generic = reinterpret_cast<sockaddr *>(&address);
    if (bind(socket_, generic, size) != 0 || listen(socket_, 8) != 0) {
      const std::string why = strerror(errno);
      close(socket_);
      close(stop_);
      throw Error("cannot serve metrics on " + text_of(wanted) + ": " + why +
                  "; choose another port, or 0 for any free one");
    }
    getsockname(socket_, generic, &size);
    where_ = "http://" + text_of(address) + "/metrics";
  }

  ~HttpMetrics() override {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t told = write(stop_, &one, sizeof one);
    if (thread_.joinable()) thread_.join();
    close(socket_);
    close(stop_);
  }

  // The first document starts the server, on the CPU that the publisher has by then.
  void publish(const std::string &document) override {
    const std::lock_guard guard(lock_);
    document_ = document;
    if (!thread_.joinable()) start();
  }
  std::string where() const override { return where_; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr size_t kMaxRequestBytes = 4096;
  static constexpr timeval kClientTimeout = {1, 0};          // for each part
  static constexpr std::chrono::seconds kRequestTimeout{2};  // for all of a request

  static std::string text_of(const sockaddr_in &address) {
    char text[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
    return fmt::format("{}:{}", text, ntohs(address.sin_port));
  }

  // Signals are the coordinator's: they must end its waits, not this thread's.
  void start() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { serve(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void serve() {
    for (;;) {
      pollfd waits[2] = {{socket_, POLLIN, 0}, {stop_, POLLIN, 0}};
      poll(waits, 2, -1);
      if (waits[1].revents != 0) return;
      const int client = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &kClientTimeout, sizeof kClientTimeout);
      setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &kClientTimeout, sizeof kClientTimeout);
      answer(client);
      close(client);
    }
  }

  void answer(int client) {
    const auto deadline = Clock::now() + kRequestTimeout;
    std::string request;
    char chunk[512];
    while (request.find("\r\n\r\n") == std::string::npos && request.size() < kMaxRequestBytes) {
      const ssize_t length = recv(client, chunk, sizeof chunk, 0);
      if (length <= 0 || Clock::now() > deadline) return;
      request.append(chunk, static_cast<size_t>(length));
    }
    const bool known = request.rfind("GET /metrics ", 0) == 0;
    std::string body = "see /metrics\n";
    if (known) {
      const std::lock_guard guard(lock_);
      body = document_;
    }
    const std::string reply = fmt::format(
        "HTTP/1.1 {}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        "Content-Length: {}\r\nConnection: close\r\n\r\n{}",
        known ? "200 OK" : "404 Not Found", body.size(), body);
    for (size_t sent = 0; sent < reply.size();) {
      const ssize_t length = send(client, reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL);
      if (length <= 0) return;
      sent += static_cast<size_t>(length);
    }
  }

  int socket_ = -1;
  int stop_ = -1;
  std::string where_;
  std::mutex lock_;  // guards document_
  std::string document_;
  std::thread thread_;
};

// PORT or ADDRESS:PORT; empty if it is neither, and so a file.
std::optional<sockaddr_in> parse_address(const std::string &target) {
  const size_t colon = target.rfind(':');
  const std::string host = colon == std::string::npos ? "127.0.0.1" : target.substr(0, colon);
  const std::string port_text = colon == std::string::npos ? target : target.substr(colon + 1);
  uint16_t port = 0;
  const char *const end = port_text.data() + port_text.size();
  const auto [at, code] = std::from_chars(port_text.data(), end, port);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  if (code != std::errc() || at != end || inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    return std::nullopt;
  address.sin_port = htons(port);
  return address;
}

}  // namespace

std::unique_ptr<MetricsSink> open_metrics_sink(const std::string &target) {
  if (const auto address = parse_address(target)) return std::make_unique<HttpMetrics>(*address);
  const size_t colon = target.rfind(':');
  const size_t port_at = colon == std::string::npos ? 0 : colon + 1;
  if (target.find('/') == std::string::npos &&
      target.find_first_not_of("0123456789", port_at) == std::string::npos)
    throw Error("--prometheus " + target +
                " is neither PORT nor ADDRESS:PORT; give a port from 0 to 65535, before it an IPv4 "
                "address if need be, or a file as ./NAME");
  return std::make_unique<FileMetrics>(target);
}

}  // namespace hakbench
