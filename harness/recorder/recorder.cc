#include "recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hakbench::trace {
namespace {

// The first slot of a chunk, as the recorder uses it.
struct ChunkHead {
  uint64_t no_sequence;  // 0: no event
  ChunkHead *next;       // in the pool
  uint32_t used;         // slots, this one included
};
static_assert(sizeof(ChunkHead) <= sizeof(RawEvent));

constexpr uint32_t kStopped = UINT32_MAX;
constexpr size_t kPathBytes = 3584;

// All of a process's state, in one page that the kernel wipes in a forked child.
struct State {
  std::atomic<uint32_t> session;  // 0: none yet; kStopped: nothing is recorded any more
  std::atomic<uint32_t> locked;
  std::atomic<uint32_t> threads;
  std::atomic<uint64_t> sequence;
  uint64_t file_bytes;
  ChunkHead *pool;    // chunks of ended threads
  RawHeader *header;  // mapped, so that a stop can always be marked
  char path[kPathBytes];
};
static_assert(sizeof(State) <= 4096);

// What a thread has. Valid if `session` is the state's: else it is the parent's, from before a fork.
struct Thread {
  uint32_t session;
  uint32_t index;
  ChunkHead *chunk;
  bool ends;  // its destructor has run: it holds a chunk no longer than for one event
};

State *g_state;
std::atomic<uint32_t> g_sessions{0};  // of this process and its forebears
pthread_key_t g_key;
bool g_has_key;
bool g_own_operators;
__thread Thread t_self __attribute__((tls_model("initial-exec")));

// Opening and closing a file are cancellation points, malloc is none. A thread cancelled on the
// slow path would leave the lock locked; so its cancellation waits until it is back.
class NoCancellation {
 public:
  NoCancellation() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~NoCancellation() { pthread_setcancelstate(before_, nullptr); }
  NoCancellation(const NoCancellation &) = delete;
  NoCancellation &operator=(const NoCancellation &) = delete;

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};

class Lock {
 public:
  explicit Lock(State *state) : state_(state) {
    // acquire pairs with the release below: the pool and the file's length are the holder's
    while (state_->locked.exchange(1, std::memory_order_acquire) != 0) sched_yield();
  }
  ~Lock() { state_->locked.store(0, std::memory_order_release); }
  Lock(const Lock &) = delete;
  Lock &operator=(const Lock &) = delete;

 private:
  State *const state_;
};

// One line on standard error; the program goes on unrecorded.
void say_stopped(const State &state, int code) {
  char line[kPathBytes + 128];
  // Not strerror: it may translate, and allocate for that.
  const char *why = strerrordesc_np(code);
  const int length =
      snprintf(line, sizeof line, "hakbench record: cannot write %s: %s; the trace ends here\n",
               state.path, why == nullptr ? "unknown error" : why);
  if (write(STDERR_FILENO, line, static_cast<size_t>(length)) < 0) return;
}

// Also marked in the file's header.
void stop(State *state, int code) {
  state->session.store(kStopped, std::memory_order_relaxed);
  state->header->stop_errno = code;
  if (code != ENOENT) say_stopped(*state, code);  // else gone: hakbench record has ended before
}

void thread_ends(void *);

// As the program was called: /proc/self/exe would name what a link points to.
void read_program_name(RawHeader *header) {
  const int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  const ssize_t bytes = read(fd, header->program, sizeof header->program - 1);
  close(fd);
  if (bytes > 0) header->program[bytes - 1] = '\0';  // in place of the line's end
}

// The file's header, mapped; MAP_FAILED and errno if there is no room for it.
void *map_header(int fd, const RawHeader &header) {
  const ssize_t written = pwrite(fd, &header, sizeof header, 0);
  if (written == static_cast<ssize_t>(sizeof header))
    return mmap(nullptr, sizeof header, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (written >= 0) errno = ENOSPC;
  return MAP_FAILED;
}

// Creates PREFIX.PID.N.raw with the first N that is free. A file without its header is not left.
bool create_file(State *state, const char *prefix) {
  RawHeader header = {};
  memcpy(header.magic, kRawMagic, sizeof header.magic);
  header.pid = getpid();
  header.own_operators = g_own_operators ? 1 : 0;
  read_program_name(&header);
  int fd = -1;
  for (int n = 0; fd < 0; ++n) {
    const int length =
        snprintf(state->path, sizeof state->path, "%s.%d.%d%s", prefix, header.pid, n, kRawSuffix);
    if (length >= static_cast<int>(sizeof state->path)) return false;
    fd = open(state->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno != EEXIST) return false;
  }
  void *mapped = map_header(fd, header);
  const int code = errno;
  close(fd);
  if (mapped == MAP_FAILED) {
    unlink(state->path);
    say_stopped(*state, code);
    return false;
  }
  madvise(mapped, sizeof header, MADV_DONTFORK);
  state->header = static_cast<RawHeader *>(mapped);
  state->file_bytes = sizeof header;
  return true;
}

// False before the C library knows its environment, and without a place to write to.
bool begin_session(State *state) {
  const Lock lock(state);
  if (state->session.load(std::memory_order_relaxed) != 0) return true;
  if (environ == nullptr) return false;
  const char *prefix = getenv(kPrefixVariable);
  if (prefix == nullptr || !create_file(state, prefix)) {
    state->session.store(kStopped, std::memory_order_relaxed);
    return false;
  }
  if (!g_has_key) g_has_key = pthread_key_create(&g_key, thread_ends) == 0;
  state->session.store(g_sessions.fetch_add(1, std::memory_order_relaxed) + 1,
                       std::memory_order_relaxed);
  return true;
}

// Reserves the bytes behind the file's end: a full disk is then an error here and no SIGBUS later.
bool reserve(int fd, off_t at, off_t bytes) {
  int result;
  do result = fallocate(fd, 0, at, bytes);
  while (result != 0 && errno == EINTR);  // by a signal, of a profiler say
  return result == 0 || (errno == EOPNOTSUPP && ftruncate(fd, at + bytes) == 0);
}

ChunkHead *map_new_chunk(State *state) {
  const int fd = open(state->path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return nullptr;
  const auto at = static_cast<off_t>(state->file_bytes);
  void *memory = MAP_FAILED;
  if (reserve(fd, at, static_cast<off_t>(kChunkBytes)))
    memory = mmap(nullptr, kChunkBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, at);
  const int code = errno;
  close(fd);
  errno = code;
  if (memory == MAP_FAILED) return nullptr;
  madvise(memory, kChunkBytes, MADV_DONTFORK);
  state->file_bytes += kChunkBytes;
  auto *chunk = static_cast<ChunkHead *>(memory);
  chunk->used = 1;
  return chunk;
}

ChunkHead *take_chunk(State *state) {
  const Lock lock(state);
  if (ChunkHead *chunk = state->pool; chunk != nullptr) {
    state->pool = chunk->next;
    return chunk;
  }
  if (state->session.load(std::memory_order_relaxed) == kStopped) return nullptr;
  ChunkHead *chunk = map_new_chunk(state);
  if (chunk == nullptr) stop(state, errno);
  return chunk;
}

void give_chunk_back(State *state, Thread *self) {
  ChunkHead *chunk = self->chunk;
  self->chunk = nullptr;
  if (chunk == nullptr) return;
  if (chunk->used == kChunkSlots) {
    munmap(chunk, kChunkBytes);
    return;
  }
  const Lock lock(state);
  chunk->next = state->pool;
  state->pool = chunk;
}

// Runs again if a later destructor allocates, which is why `ends` outlives it.
void thread_ends(void *) {
  const int code = errno;
  t_self.ends = true;
  if (t_self.session == g_state->session.load(std::memory_order_relaxed))
    give_chunk_back(g_state, &t_self);
  errno = code;
}

// The state's page, before there is a second thread.
State *make_state() {
  void *memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto *state = static_cast<State *>(memory);
  if (madvise(memory, 4096, MADV_WIPEONFORK) != 0) state->session = kStopped;
  return state;
}

// The session is new to the thread, or its chunk is full. False if nothing can be recorded.
bool prepare(Thread *self) {
  if (g_state == nullptr && (g_state = make_state()) == nullptr) return false;
  State *state = g_state;
  uint32_t session = state->session.load(std::memory_order_relaxed);
  if (session == kStopped) return false;
  const NoCancellation guard;
  if (session == 0 && !begin_session(state)) return false;
  session = state->session.load(std::memory_order_relaxed);
  if (self->session != session) {
    *self = {session, state->threads.fetch_add(1, std::memory_order_relaxed), nullptr, self->ends};
  } else {
    give_chunk_back(state, self);
  }
  self->chunk = take_chunk(state);
  if (self->chunk == nullptr) return false;
  if (g_has_key && !self->ends) pthread_setspecific(g_key, self);
  return true;
}

bool is_ready(const Thread &self) {
  return g_state != nullptr && self.session == g_state->session.load(std::memory_order_relaxed) &&
         self.chunk != nullptr && self.chunk->used < kChunkSlots;
}

}  // namespace

void note_own_operators() { g_own_operators = true; }

void record(RawKind kind, const void *block, size_t size, unsigned log2_alignment) {
  Thread &self = t_self;
  if (!is_ready(self)) [[unlikely]] {
    const int code = errno;
    const bool ready = prepare(&self);
    errno = code;
    if (!ready) return;
  }
  RawEvent *event = reinterpret_cast<RawEvent *>(self.chunk) + self.chunk->used++;
  event->block = reinterpret_cast<uint64_t>(block);
  event->size = size;
  event->thread = self.index;
  event->kind = kind;
  event->log2_alignment = static_cast<uint8_t>(log2_alignment);
  // Relaxed is enough for the order: one event that happens before another does its increment first.
  // The release publishes the event to whoever reads the file, also of a process that was killed.
  event->sequence.store(g_state->sequence.fetch_add(1, std::memory_order_relaxed) + 1,
                        std::memory_order_release);
  if (self.ends) [[unlikely]] {
    const int code = errno;
    give_chunk_back(g_state, &self);
    errno = code;
  }
}

}  // namespace hakbench::trace
