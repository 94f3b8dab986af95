// The budget and the thread that writes to disk; see memory.h.
#include "tuff/schedule/memory.h"

#include <algorithm>
#include <csignal>
#include <new>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <pthread.h>

#include "tuff/base/buffer.h"
#include "tuff/base/check.h"
#include "tuff/schedule/active_run.h"
#include "tuff/schedule/run_memory.h"

TUFF_NAMESPACE_BEGIN

namespace {

// What is smaller is not written: books are kept of each, and the unit of the disk is 4 KiB.
constexpr size_t kSmallestSpilled = 256;
// So much is taken out of memory beyond what somebody waits for, so that the next tasks need not wait.
constexpr uint64_t kShareAhead = 20;
// Blocks that outlive runs go before what a run needs, and of those the one that was read last: arrays are
// read from front to back, again and again, so it is the one that is needed latest.
constexpr uint64_t kOutlivesRuns = uint64_t{1} << 33;

// A block that is less of its buffer than this keeps more than it needs.
constexpr double kNearlyAll = 0.9;

// Views whose copies take at most this part of their buffer are copied out of it, if they are no more than that.
constexpr size_t kPartWorthCopying = 2;
constexpr size_t kMostCopied = 64;

// Chosen at a time: each choice looks at all values, and what is true of the last one may change meanwhile.
constexpr size_t kMostChosen = 256;

const Block& block_of(const Held& held) { return std::as_const(*held.value).get<Block>(); }

/// Whether nobody but these values reaches their buffer.
bool is_all_theirs(const HeldBuffer& buffer) {
  const Block& first = block_of(*buffer.views[0]);
  if (buffer.views.size() == 1) return first.is_unique();
  std::vector<const void*> blocks;
  for (const Held* held : buffer.views) blocks.push_back(block_of(*held).identity());
  std::sort(blocks.begin(), blocks.end());
  uint32_t different = 0;
  for (size_t i = 0; i < blocks.size(); ++i) different += i == 0 || blocks[i] != blocks[i - 1];
  if (first.buffer().use_count() != different) return false;
  return std::all_of(buffer.views.begin(), buffer.views.end(), [&](const Held* held) {
    const Block& block = block_of(*held);
    const auto [low, high] = std::equal_range(blocks.begin(), blocks.end(), block.identity());
    return block.handle_count() == static_cast<uint32_t>(high - low);
  });
}

}  // namespace

bool is_piece(const Block& block) {
  return block.buffer().is_own() && static_cast<double>(block.bytes()) <
                                        kNearlyAll * static_cast<double>(block.buffer().bytes());
}

namespace {

/// What is kept of a block. How that lies does not depend on whether the block was repacked before: with gaps, it has
/// them still, and without, it has none.
Block block_to_keep(Block block, StopRequest stop) {
  const std::optional<size_t> packed = repacked_bytes(block);
  const bool has_gaps = packed && *packed > block.bytes();
  if (!block.buffer().is_own() || (!has_gaps && !is_piece(block))) return block;
  if (packed && !has_gaps) return repacked(block, stop);
  Block copy = Block::allocate(block.dtype(), block.shape());
  copy_elements(block, copy, stop);
  return copy;
}

}  // namespace

MemoryBudget::MemoryBudget(Context& context)
    : budget_bytes_(context.memory_bytes()), file_(context.spill_folder(), context.spill_bytes()) {}

MemoryBudget::~MemoryBudget() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  if (thread_.joinable()) thread_.join();
}

MemoryStatistics MemoryBudget::statistics() const {
  const BufferStatistics buffers = buffer_statistics();
  const std::lock_guard lock(mutex_);
  MemoryStatistics statistics = counts_;
  statistics.budget_bytes = budget_bytes_;
  statistics.live_bytes = buffers.live_bytes;
  statistics.peak_live_bytes = buffers.peak_live_bytes;
  statistics.disk_bytes = file_.taken_bytes();
  return statistics;
}

MemoryStatistics memory_statistics(Context* context) {
  return (context != nullptr ? *context : Context::current()).service<MemoryBudget>().statistics();
}

/// A task under way counts with all it may yield, although part of that is live already.
bool MemoryBudget::fits(uint64_t more, uint64_t limit) const {
  return live_bytes() + reserved_ + promised_ + more <= limit;
}

// --- What may go to disk ---------------------------------------------------------------------------

void MemoryBudget::add(Held& held) {
  const Buffer& memory = block_of(held).buffer();
  const auto [at, added] = in_memory_.try_emplace(memory.data(), nullptr);
  if (added) {
    auto buffer = std::make_unique<HeldBuffer>();
    buffer->data = memory.data();
    buffer->bytes = memory.bytes();
    buffer->index = static_cast<uint32_t>(buffers_.size());
    at->second = buffer.get();
    buffers_.push_back(std::move(buffer));
  }
  HeldBuffer& buffer = *at->second;
  held.buffer = &buffer;
  held.index = static_cast<uint32_t>(buffer.views.size());
  buffer.views.push_back(&held);
  buffer.pins += held.pins;
}

void MemoryBudget::forget(Held& held, Lock& lock) {
  using Place = HeldBuffer::Place;
  if (held.buffer == nullptr) return;
  // Who writes or reads comes back to its values; it takes as long as the block is large.
  freed_.wait(lock, [&] {
    return held.buffer->place != Place::writing && held.buffer->place != Place::reading;
  });
  HeldBuffer& buffer = *std::exchange(held.buffer, nullptr);
  buffer.pins -= held.pins;
  buffer.views[held.index] = buffer.views.back();
  buffer.views[held.index]->index = held.index;
  buffer.views.pop_back();
  held.view.reset();
  if (buffer.views.empty()) drop(buffer);
}

void MemoryBudget::drop(HeldBuffer& buffer) {
  file_.free(buffer.region);
  if (buffer.place == HeldBuffer::Place::memory) in_memory_.erase(buffer.data);
  const uint32_t index = buffer.index;
  std::swap(buffers_[index], buffers_.back());
  buffers_[index]->index = index;
  buffers_.pop_back();
}

void MemoryBudget::pin(Held& held) {
  ++held.pins;
  if (held.buffer != nullptr) ++held.buffer->pins;
}

void MemoryBudget::unpin(Held& held) {
  --held.pins;
  if (held.buffer != nullptr) --held.buffer->pins;
}

bool MemoryBudget::is_on_disk(const Held& held) {
  return held.buffer != nullptr && (held.buffer->place == HeldBuffer::Place::disk ||
                                    held.buffer->place == HeldBuffer::Place::reading);
}

bool MemoryBudget::is_spillable(const HeldBuffer& buffer) {
  // Memory that others see, or that is not ours, would not come back.
  return buffer.place == HeldBuffer::Place::memory && buffer.pins == 0 &&
         buffer.bytes >= kSmallestSpilled && is_all_theirs(buffer) &&
         block_of(*buffer.views[0]).buffer().is_own();
}

bool MemoryBudget::can_spill() const {
  return std::any_of(buffers_.begin(), buffers_.end(),
                     [](const auto& buffer) { return is_spillable(*buffer); });
}

void MemoryBudget::end_work() {
  --at_work_;
  ++ends_;
  freed_.notify_all();
}

uint64_t MemoryBudget::next_use(const Held& held) {
  return held.run != nullptr ? held.run->next_use(held) : kOutlivesRuns + held.used;
}

/// What is needed latest, in that order, at least `bytes` of it if there is so much.
std::vector<HeldBuffer*> MemoryBudget::choose(uint64_t bytes) const {
  struct Ranked {
    uint64_t next_use;
    uint32_t slot;
    HeldBuffer* buffer;
  };
  std::vector<Ranked> ranked;
  for (const auto& buffer : buffers_) {
    if (!is_spillable(*buffer)) continue;
    Ranked candidate = {UINT64_MAX, 0, buffer.get()};
    bool is_over = false;  // what a run that is over holds is about to be freed
    for (const Held* held : buffer->views) {
      is_over = is_over || (held->run != nullptr && held->run->is_over());
      candidate.next_use = std::min(candidate.next_use, next_use(*held));
      candidate.slot = std::max(candidate.slot, held->slot);
    }
    if (!is_over) ranked.push_back(candidate);
  }
  const size_t most = std::min(ranked.size(), kMostChosen);
  std::partial_sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(most),
                    ranked.end(), [](const Ranked& a, const Ranked& b) {
                      return a.next_use != b.next_use ? a.next_use > b.next_use : a.slot > b.slot;
                    });
  ranked.resize(most);
  std::vector<HeldBuffer*> chosen;
  uint64_t sum = 0;
  for (const Ranked& candidate : ranked) {
    if (sum >= bytes) break;
    sum += candidate.buffer->bytes;
    chosen.push_back(candidate.buffer);
  }
  return chosen;
}

// --- Out of memory and back ------------------------------------------------------------------------

void MemoryBudget::ask(uint64_t bytes) {
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread([this] { serve(); });
    } catch (const std::system_error& error) {
      throw MemoryError("spill", fmt::format("no thread can be had to write to the disk: {}; end "
                                             "others, or raise the limit (ulimit -u)",
                                             error.code().message()));
    }
    pthread_setname_np(thread_.native_handle(), "tuff-spill");
  }
  wanted_bytes_ = bytes;
  wanted_.notify_one();
}

/// A task no longer waits.
void MemoryBudget::stop_asking() {
  if (--waiting_ == 0) wanted_bytes_ = 0;
}

void MemoryBudget::serve() {
  // A file that grows beyond the limit of the process is an error of the write, not the end of the process.
  sigset_t too_large;
  sigemptyset(&too_large);
  sigaddset(&too_large, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &too_large, nullptr);
  Lock lock(mutex_);
  while (!stopping_) {
    if (wanted_bytes_ == 0) {
      wanted_.wait(lock);
      continue;
    }
    try {
      spill_some(lock);
    } catch (...) {
      // Memory for the books of it, or the disk. Who waits reports it.
      if (!lock.owns_lock()) lock.lock();
      error_ = std::current_exception();
    }
    if (error_ != nullptr) wanted_bytes_ = 0;
    freed_.notify_all();
  }
}

namespace {

/// Bytes of copies of the views, each block once; nothing when they would not be small, or when two blocks begin at one
/// place: products tell x from x.transpose() by that.
std::optional<size_t> bytes_of_copies(const HeldBuffer& buffer) {
  size_t sum = 0;
  std::vector<const Block*> seen;
  for (const Held* held : buffer.views) {
    const Block& block = block_of(*held);
    const auto same = std::find_if(seen.begin(), seen.end(), [&](const Block* other) {
      return other->bytes_data() == block.bytes_data();
    });
    if (same != seen.end() && (*same)->identity() == block.identity()) continue;
    const std::optional<size_t> bytes = repacked_bytes(block);
    if (!bytes || same != seen.end() || seen.size() == kMostCopied) return std::nullopt;
    seen.push_back(&block);
    sum += *bytes;
    if (kPartWorthCopying * sum > buffer.bytes) return std::nullopt;
  }
  return sum;
}

}  // namespace

void MemoryBudget::repack_all(Lock& lock) {
  std::vector<const std::byte*> sparse;
  for (const auto& buffer : buffers_) {
    if (is_spillable(*buffer) && bytes_of_copies(*buffer)) sparse.push_back(buffer->data);
  }
  for (const std::byte* data : sparse) {
    const auto at = in_memory_.find(data);
    if (stopping_) return;
    if (at == in_memory_.end() || !is_spillable(*at->second)) continue;
    const std::optional<size_t> copies = bytes_of_copies(*at->second);
    if (copies && live_bytes() + *copies <= budget_bytes_) repack(*at->second, lock);
  }
}

/// Copies without the lock; nothing changes when somebody reads the buffer by then.
void MemoryBudget::repack(HeldBuffer& buffer, Lock& lock) {
  struct Copy {
    const void* identity;
    Block of;  // a handle, so that nobody changes it in place meanwhile
    Block made;
  };
  std::vector<Copy> copies;
  for (const Held* held : buffer.views) {
    const Block& block = block_of(*held);
    if (std::none_of(copies.begin(), copies.end(),
                     [&](const Copy& copy) { return copy.identity == block.identity(); }))
      copies.push_back({block.identity(), block, Block()});
  }
  buffer.place = HeldBuffer::Place::writing;
  ++writing_;
  lock.unlock();
  size_t bytes = 0;
  bool is_done = true;
  try {
    for (Copy& copy : copies) {
      copy.made = repacked(copy.of);
      bytes += copy.made.buffer().bytes();
    }
  } catch (const std::bad_alloc&) {
    is_done = false;  // it goes to disk as it is
  }
  lock.lock();
  --writing_;
  buffer.place = HeldBuffer::Place::memory;
  for (Copy& copy : copies) copy.of = Block();
  if (is_done && is_spillable(buffer)) {
    wanted_bytes_ -= std::min<uint64_t>(wanted_bytes_, buffer.bytes - bytes);
    const std::vector<Held*> views = buffer.views;
    for (Held* held : views) {
      const auto copy = std::find_if(copies.begin(), copies.end(), [&](const Copy& one) {
        return one.identity == block_of(*held).identity();
      });
      forget(*held, lock);
      held->value->emplace<Block>(copy->made);
      add(*held);
    }
  }
  freed_.notify_all();
}

void MemoryBudget::spill_some(Lock& lock) {
  repack_all(lock);
  if (wanted_bytes_ == 0) return;
  std::vector<const std::byte*> victims;
  for (const HeldBuffer* buffer : choose(wanted_bytes_ + budget_bytes_ / kShareAhead))
    victims.push_back(buffer->data);
  if (victims.empty()) wanted_bytes_ = 0;
  for (const std::byte* victim : victims) {
    // The lock was given up for the one before: what was true of this one may not be true any more.
    const auto at = in_memory_.find(victim);
    if (stopping_ || at == in_memory_.end() || !is_spillable(*at->second)) continue;
    HeldBuffer& buffer = *at->second;
    if (!buffer.region.is_somewhere() && !write(buffer, lock)) continue;
    if (is_spillable(buffer)) let_go(buffer);  // unless somebody reads it by now
    freed_.notify_all();
  }
}

/// Writes the buffer, without the lock meanwhile. False when the run that it belongs to was stopped.
bool MemoryBudget::write(HeldBuffer& buffer, Lock& lock) {
  RunMemory* const run = buffer.views[0]->run;
  const bool is_of_one_run =
      run != nullptr && std::all_of(buffer.views.begin(), buffer.views.end(),
                                    [&](const Held* held) { return held->run == run; });
  Block block = block_of(*buffer.views[0]);  // so that nobody changes it in place meanwhile
  buffer.place = HeldBuffer::Place::writing;
  ++writing_;
  SpillRegion region;
  std::exception_ptr error;
  const int64_t start_ns = now_ns();
  lock.unlock();
  try {
    region = file_.write({block.buffer().data(), buffer.bytes},
                         is_of_one_run ? run->stop() : StopRequest());
  } catch (...) {
    error = std::current_exception();
  }
  if (error == nullptr && run != nullptr) run->written(start_ns, buffer.bytes);
  lock.lock();
  --writing_;
  block = Block();
  buffer.place = HeldBuffer::Place::memory;
  buffer.region = std::move(region);
  if (error == nullptr) {
    counts_.written_bytes += buffer.bytes;
    return true;
  }
  freed_.notify_all();
  try {
    std::rethrow_exception(error);
  } catch (const Cancelled&) {
    return false;
  }
}

void MemoryBudget::let_go(HeldBuffer& buffer) {
  for (Held* held : buffer.views) {
    const Block& block = block_of(*held);
    held->view = std::make_unique<Held::View>(
        Held::View{block.dtype(), block.shape(), block.strides(),
                   static_cast<size_t>(block.bytes_data() - buffer.data)});
  }
  for (Held* held : buffer.views) held->value->reset();
  in_memory_.erase(buffer.data);
  buffer.place = HeldBuffer::Place::disk;
  buffer.data = nullptr;
  counts_.spilled_bytes += buffer.bytes;
  wanted_bytes_ -= std::min<uint64_t>(wanted_bytes_, buffer.bytes);
}

size_t MemoryBudget::bring_back(Held& held, Lock& lock, StopRequest stop) {
  using Place = HeldBuffer::Place;
  if (held.buffer == nullptr) return 0;
  HeldBuffer& buffer = *held.buffer;  // pinned, so it stays
  freed_.wait(lock, [&] { return buffer.place != Place::reading; });
  if (buffer.place != Place::disk) return 0;
  buffer.place = Place::reading;
  lock.unlock();
  std::exception_ptr error;
  Buffer memory;
  std::vector<Block> blocks;
  try {
    memory = Buffer::allocate(buffer.bytes);
    file_.read(buffer.region, {memory.data(), buffer.bytes}, stop);
    for (const Held* each : buffer.views) {
      const Held::View& view = *each->view;
      blocks.push_back(
          Block::view(memory, memory.data() + view.offset, view.dtype, view.shape, view.strides));
    }
    lock.lock();
    in_memory_.emplace(memory.data(), &buffer);
  } catch (...) {
    error = std::current_exception();
    if (!lock.owns_lock()) lock.lock();
  }
  buffer.place = error != nullptr ? Place::disk : Place::memory;
  freed_.notify_all();
  if (error != nullptr) std::rethrow_exception(error);
  buffer.data = memory.data();
  for (size_t i = 0; i < blocks.size(); ++i) {
    buffer.views[i]->value->emplace<Block>(std::move(blocks[i]));
    buffer.views[i]->view.reset();
  }
  counts_.read_back_bytes += buffer.bytes;
  return buffer.bytes;
}

// --- Promises and stored blocks --------------------------------------------------------------------

MemoryPromise::MemoryPromise(MemoryBudget& budget, uint64_t bytes, uint64_t limit)
    : budget_(budget) {
  const std::lock_guard lock(budget.mutex_);
  if (!budget.fits(bytes, limit)) return;
  bytes_ = bytes;
  budget.promised_ += bytes;
  ++budget.at_work_;
}

MemoryPromise::~MemoryPromise() {
  if (bytes_ == 0) return;
  const std::lock_guard lock(budget_.mutex_);
  budget_.promised_ -= bytes_;
  budget_.end_work();
}

NestedInMemory::NestedInMemory(RunMemory* tasks, MemoryPromise* promise)
    : tasks_(tasks), promise_(promise) {
  if (tasks_ != nullptr) {
    const std::lock_guard lock(tasks_->budget_.mutex_);
    // A task that is called again after its run is over was not admitted.
    if (tasks_->running_ == tasks_->nested_) {
      tasks_ = nullptr;
    } else {
      ++tasks_->nested_;
      tasks_->budget_.end_work();
    }
  }
  if (promise_ != nullptr) {
    const std::lock_guard lock(promise_->budget_.mutex_);
    if (promise_->nested_++ == 0) promise_->budget_.end_work();
  }
}

NestedInMemory::~NestedInMemory() {
  if (tasks_ != nullptr) {
    const std::lock_guard lock(tasks_->budget_.mutex_);
    --tasks_->nested_;
    ++tasks_->budget_.at_work_;
  }
  if (promise_ != nullptr) {
    const std::lock_guard lock(promise_->budget_.mutex_);
    if (--promise_->nested_ == 0) ++promise_->budget_.at_work_;
  }
}

StoredBlock::StoredBlock(std::shared_ptr<MemoryBudget> budget, Block block, StopRequest stop)
    : budget_(std::move(budget)) {
  block = block_to_keep(std::move(block), stop);
  shape_ = block.shape();
  value_.emplace<Block>(std::move(block));
  held_.value = &value_;
  const std::lock_guard lock(budget_->mutex_);
  held_.used = ++budget_->clock_;
  budget_->add(held_);
}

StoredBlock::~StoredBlock() {
  MemoryBudget::Lock lock(budget_->mutex_);
  budget_->forget(held_, lock);
}

Block StoredBlock::get(StopRequest stop) {
  MemoryBudget::Lock lock(budget_->mutex_);
  MemoryBudget::pin(held_);
  try {
    budget_->bring_back(held_, lock, stop);
  } catch (...) {
    MemoryBudget::unpin(held_);
    throw;
  }
  MemoryBudget::unpin(held_);
  held_.used = ++budget_->clock_;
  return block_of(held_);
}

std::shared_ptr<MemoryBudget> StoredBlock::budget_of_this_task() {
  const ActiveRun* run = ActiveRun::current();
  Context& context = run != nullptr ? run->context() : Context::current();
  return context.service<MemoryBudget>().shared_from_this();
}

TUFF_NAMESPACE_END
