// The budget and the thread that writes to disk; see memory.h.
#include "tuff/schedule/memory.h"

#include <algorithm>
#include <utility>

#include <pthread.h>

#include "tuff/base/buffer.h"
#include "tuff/base/check.h"
#include "tuff/schedule/active_run.h"
#include "tuff/schedule/run_memory.h"

TUFF_NAMESPACE_BEGIN

namespace {

// What is smaller is not written: a page is the unit of the disk and of the memory that comes back.
constexpr size_t kSmallestSpilled = 4096;
// So much is taken out of memory beyond what somebody waits for, so that the next tasks need not wait.
constexpr uint64_t kShareAhead = 20;
// Blocks that outlive runs go before what a run needs, and of those the one that was read last: arrays are
// read from front to back, again and again, so it is the one that is needed latest.
constexpr uint64_t kOutlivesRuns = uint64_t{1} << 33;

// Chosen at a time: each choice looks at all values, and what is true of the last one may change meanwhile.
constexpr size_t kMostChosen = 256;

const Block& block_of(const Held& held) { return std::as_const(*held.value).get<Block>(); }

Held::Copy describe(const Block& block) {
  Held::Copy copy;
  copy.dtype = block.dtype();
  copy.shape = block.shape();
  copy.strides = block.strides();
  copy.offset = static_cast<size_t>(block.bytes_data() - block.buffer().data());
  copy.buffer_bytes = block.buffer().bytes();
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
  statistics.disk_bytes = file_.stored_bytes();
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
  held.place = Held::Place::memory;
  held.index = static_cast<uint32_t>(in_memory_.size());
  in_memory_.push_back(&held);
}

void MemoryBudget::remove(Held& held) {
  Held* const last = in_memory_.back();
  in_memory_[held.index] = last;
  last->index = held.index;
  in_memory_.pop_back();
  held.index = Held::kNone;
}

/// The value is gone, or about to be.
void MemoryBudget::forget(Held& held, Lock& lock) {
  // The writer looks at the block and comes back to `held`; a write takes as long as the block is large.
  freed_.wait(lock, [&] {
    return held.place != Held::Place::writing && held.place != Held::Place::reading;
  });
  if (held.place == Held::Place::memory) remove(held);
  held.place = Held::Place::nowhere;
  if (held.copy) file_.free(held.copy->region);
  held.copy.reset();
}

bool MemoryBudget::is_spillable(const Held& held) const {
  if (held.pins > 0 || !held.value->holds<Block>()) return false;
  const Block& block = block_of(held);
  // Memory that others see, or that is not ours, would not come back.
  return block && block.is_unique() && block.buffer().is_own() &&
         block.buffer().bytes() >= kSmallestSpilled;
}

bool MemoryBudget::can_spill() const {
  return std::any_of(in_memory_.begin(), in_memory_.end(),
                     [&](const Held* held) { return is_spillable(*held); });
}

/// What is needed latest, in that order, at least `bytes` of it if there is so much.
std::vector<Held*> MemoryBudget::choose(uint64_t bytes) const {
  std::vector<std::pair<uint64_t, Held*>> ranked;
  for (Held* held : in_memory_) {
    // What a run that is over holds is about to be freed.
    if (!is_spillable(*held) || (held->run != nullptr && held->run->is_over())) continue;
    ranked.emplace_back(
        held->run != nullptr ? held->run->next_use(*held) : kOutlivesRuns + held->used, held);
  }
  const size_t most = std::min(ranked.size(), kMostChosen);
  std::partial_sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(most),
                    ranked.end(), [](const auto& a, const auto& b) {
                      return a.first != b.first ? a.first > b.first
                                                : a.second->slot > b.second->slot;
                    });
  ranked.resize(most);
  std::vector<Held*> chosen;
  uint64_t sum = 0;
  for (const auto& [rank, held] : ranked) {
    if (sum >= bytes) break;
    sum += block_of(*held).buffer().bytes();
    chosen.push_back(held);
  }
  return chosen;
}

// --- Out of memory and back ------------------------------------------------------------------------

void MemoryBudget::ask(uint64_t bytes) {
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { serve(); });
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
  Lock lock(mutex_);
  while (!stopping_) {
    if (wanted_bytes_ == 0) {
      wanted_.wait(lock);
      continue;
    }
    const std::vector<Held*> victims = choose(wanted_bytes_ + budget_bytes_ / kShareAhead);
    if (victims.empty()) wanted_bytes_ = 0;
    for (size_t i = 0; i < victims.size() && !stopping_; ++i) {
      // The lock was given up for the one before: what was true of this one may not be true any more.
      const auto at = std::find(in_memory_.begin(), in_memory_.end(), victims[i]);
      if (at == in_memory_.end() || !is_spillable(**at)) continue;
      spill(**at, lock);
      if (error_ != nullptr) break;
    }
    if (error_ != nullptr) wanted_bytes_ = 0;
    freed_.notify_all();
  }
}

/// Writes the block unless that was done before, and lets it go unless somebody reads it by now.
void MemoryBudget::spill(Held& held, Lock& lock) {
  if (held.copy == nullptr) {
    Block block = block_of(held);  // so that nobody changes it in place meanwhile
    remove(held);
    held.place = Held::Place::writing;
    ++writing_;
    auto copy = std::make_unique<Held::Copy>(describe(block));
    std::exception_ptr error;
    bool stopped = false;
    const int64_t start_ns = now_ns();
    lock.unlock();
    try {
      copy->region = file_.write({block.buffer().data(), block.buffer().bytes()},
                                 held.run != nullptr ? held.run->stop() : StopRequest());
    } catch (const Cancelled&) {
      stopped = true;
    } catch (...) {
      error = std::current_exception();
    }
    if (error == nullptr && !stopped && held.run != nullptr)
      held.run->written(start_ns, copy->buffer_bytes);
    lock.lock();
    --writing_;
    block = Block();
    add(held);
    if (error != nullptr) error_ = error;
    if (error != nullptr || stopped) return freed_.notify_all();
    counts_.written_bytes += copy->buffer_bytes;
    held.copy = std::move(copy);
  }
  if (is_spillable(held)) let_go(held);
  freed_.notify_all();
}

void MemoryBudget::let_go(Held& held) {
  const size_t bytes = held.copy->buffer_bytes;
  remove(held);
  held.value->reset();
  held.place = Held::Place::disk;
  counts_.spilled_bytes += bytes;
  wanted_bytes_ -= std::min<uint64_t>(wanted_bytes_, bytes);
}

/// Has the value in memory; it must be pinned. The caller has been granted its bytes.
size_t MemoryBudget::bring_back(Held& held, Lock& lock, StopRequest stop) {
  using Place = Held::Place;
  size_t bytes = 0;
  for (;;) {
    freed_.wait(lock, [&] { return held.place != Place::reading; });
    if (held.place != Place::disk) return bytes;
    held.place = Place::reading;
    const Held::Copy& copy = *held.copy;
    Block block;
    lock.unlock();
    std::exception_ptr error;
    try {
      Buffer buffer = Buffer::allocate(copy.buffer_bytes);
      file_.read(copy.region, {buffer.data(), copy.buffer_bytes}, stop);
      std::byte* const first = buffer.data() + copy.offset;
      block = Block::view(std::move(buffer), first, copy.dtype, copy.shape, copy.strides);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error != nullptr) {
      held.place = Place::disk;
      freed_.notify_all();
      std::rethrow_exception(error);
    }
    bytes += copy.buffer_bytes;
    counts_.read_back_bytes += copy.buffer_bytes;
    held.value->emplace<Block>(std::move(block));
    add(held);
    freed_.notify_all();
  }
}

// --- Promises and stored blocks --------------------------------------------------------------------

MemoryPromise::MemoryPromise(MemoryBudget& budget, uint64_t bytes, uint64_t limit)
    : budget_(budget) {
  const std::lock_guard lock(budget.mutex_);
  if (!budget.fits(bytes, limit)) return;
  bytes_ = bytes;
  budget.promised_ += bytes;
}

MemoryPromise::~MemoryPromise() {
  if (bytes_ == 0) return;
  const std::lock_guard lock(budget_.mutex_);
  budget_.promised_ -= bytes_;
  budget_.freed_.notify_all();
}

StoredBlock::StoredBlock(std::shared_ptr<MemoryBudget> budget, Block block, StopRequest stop)
    : budget_(std::move(budget)) {
  // A small piece of something large must not keep the large thing alive.
  if (block.buffer().is_own() && 2 * block.bytes() < block.buffer().bytes()) {
    Block copy = Block::allocate(block.dtype(), block.shape());
    copy_elements(block, copy, stop);
    block = std::move(copy);
  }
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
  ++held_.pins;
  try {
    budget_->bring_back(held_, lock, stop);
  } catch (...) {
    --held_.pins;
    throw;
  }
  --held_.pins;
  held_.used = ++budget_->clock_;
  return block_of(held_);
}

std::shared_ptr<MemoryBudget> StoredBlock::budget_of_this_task() {
  const ActiveRun* run = ActiveRun::current();
  Context& context = run != nullptr ? run->context() : Context::current();
  return context.service<MemoryBudget>().shared_from_this();
}

TUFF_NAMESPACE_END
