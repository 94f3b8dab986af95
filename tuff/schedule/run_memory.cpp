// See run_memory.h.
#include "tuff/schedule/run_memory.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <fmt/format.h>

#include "tuff/base/buffer.h"
#include "tuff/base/error.h"
#include "tuff/schedule/pool.h"

TUFF_NAMESPACE_BEGIN

namespace {

// Memory may be freed by those who do not tell (runs that were promised theirs, or the program itself), so
// who waits looks again after this time.
constexpr auto kLookAgain = std::chrono::milliseconds(2);

// Who is at work may wait for this one in a way that nobody sees (a run in a thread that a task has started): a task
// that has waited so long for anything to end starts.
constexpr auto kPatience = std::chrono::seconds(1);

// A task that yields at most this part of what it frees always starts: what reduces large blocks to small ones makes
// room.
constexpr uint64_t kSmallPart = 8;

constexpr uint64_t kUnknown = BlockBytes::kUnknown;

/// Recycled memory and live blocks together stay below the lowest limit of the runs under way.
class Ceilings {
 public:
  void add(size_t limit) {
    const std::lock_guard lock(mutex_);
    limits_.insert(limit);
    apply();
  }
  void remove(size_t limit) {
    const std::lock_guard lock(mutex_);
    limits_.erase(limits_.find(limit));
    apply();
  }

 private:
  void apply() {
    if (limits_.empty()) {
      set_memory_ceiling(before_);
      is_set_ = false;
      return;
    }
    const size_t before = set_memory_ceiling(*limits_.begin());
    if (!is_set_) before_ = before;
    is_set_ = true;
  }
  std::mutex mutex_;
  std::multiset<size_t> limits_;
  size_t before_ = 0;
  bool is_set_ = false;
};

Ceilings& ceilings() {
  static Ceilings& instance = *new Ceilings;
  return instance;
}

std::string text(uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  return bytes < 1'000'000'000 ? fmt::format("{:.1f} MB", value * 1e-6)
                               : fmt::format("{:.1f} GB", value * 1e-9);
}

std::string name_of_task(const PlanArrays& plan, uint32_t task) {
  return fmt::format("task {} ({}) on block {}", task, plan.name_of(plan.function[task]),
                     plan.block_name_of(task));
}

}  // namespace

RunMemory::RunMemory(MemoryBudget& budget, const Program& program, RunState& state, uint64_t limit,
                     Tracing* tracing, std::stop_token stop)
    : budget_(budget),
      program_(program),
      state_(state),
      limit_(limit),
      tracing_(tracing),
      stop_(std::move(stop)) {
  size_slots();
  check_sizes();
  const PlanArrays& plan = program_.plan;
  finished_.assign(plan.task_count(), 0);
  number_names();
  reads_left_.assign(plan.slot_count(), 0);
  for (uint32_t read : program_.reads) {
    if (is_tracked(read)) ++reads_left_[read & Program::kSlotMask];
  }
  held_ = std::vector<Held>(plan.slot_count());
  for (uint32_t slot = 0; slot < plan.slot_count(); ++slot) {
    held_[slot].slot = slot;
    held_[slot].run = this;
    held_[slot].value = &state_.value(slot);
  }
  list_readers();
  ceilings().add(limit_);
}

RunMemory::~RunMemory() {
  {
    Lock lock(budget_.mutex_);
    for (Held& held : held_) budget_.forget(held, lock);
    budget_.freed_.notify_all();
  }
  ceilings().remove(limit_);
}

void RunMemory::size_slots() {
  const PlanArrays& plan = program_.plan;
  slot_bytes_.assign(plan.slot_count(), 0);
  for (uint32_t t = 0; t < plan.task_count(); ++t) {
    for (uint32_t slot = plan.first_output[t]; slot < plan.first_output[t + 1]; ++slot)
      slot_bytes_[slot] = plan.bytes_of(t, slot - plan.first_output[t]);
  }
}

namespace {

/// Bounds of blocks may be large: what does not fit is as much as can be told.
uint64_t sum_of(uint64_t a, uint64_t b) { return a + std::min(b, UINT64_MAX - a); }

}  // namespace

void RunMemory::check_sizes() const {
  const PlanArrays& plan = program_.plan;
  const auto known = [&](uint32_t slot) {
    return slot_bytes_[slot] == kUnknown ? 0 : slot_bytes_[slot];
  };
  const std::string advice = "raise it with RunOptions::memory_bytes or TUFF_MEMORY_BYTES";
  const std::set<uint32_t> returned(plan.output_slots.begin(), plan.output_slots.end());
  uint64_t results = 0;
  for (uint32_t slot : returned) results = sum_of(results, known(slot));
  if (results > limit_) {
    throw MemoryError(
        "run", fmt::format("the results take {}, the memory budget is {}; persist() keeps on disk "
                           "what does not fit; or {}",
                           text(results), text(limit_), advice));
  }
  std::vector<uint32_t> slots;
  for (uint32_t t = 0; t < plan.task_count(); ++t) {
    uint64_t outputs = 0;
    for (uint32_t slot = plan.first_output[t]; slot < plan.first_output[t + 1]; ++slot)
      outputs = sum_of(outputs, known(slot));
    slots.assign(plan.inputs[t].begin(), plan.inputs[t].end());
    std::sort(slots.begin(), slots.end());
    slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
    uint64_t inputs = 0;
    for (uint32_t slot : slots) inputs = sum_of(inputs, known(slot));
    if (sum_of(inputs, outputs) <= limit_) continue;
    throw MemoryError(
        "run",
        fmt::format(
            "{} needs {} at once, {} of inputs and {} of outputs; the memory budget is {}; cut the "
            "arrays into smaller blocks, or {}",
            name_of_task(plan, t), text(sum_of(inputs, outputs)), text(inputs), text(outputs),
            text(limit_), advice));
  }
}

void RunMemory::list_readers() {
  const PlanArrays& plan = program_.plan;
  readers_.first.assign(plan.slot_count() + 1, 0);
  for (uint32_t slot : plan.inputs.items) ++readers_.first[slot + 1];
  for (size_t s = 0; s < plan.slot_count(); ++s) readers_.first[s + 1] += readers_.first[s];
  readers_.items.resize(plan.inputs.items.size());
  next_reader_.assign(readers_.first.begin(), readers_.first.end() - 1);
  for (uint32_t t = 0; t < plan.task_count(); ++t) {
    for (uint32_t slot : plan.inputs[t]) readers_.items[next_reader_[slot]++] = t;
  }
  next_reader_.assign(readers_.first.begin(), readers_.first.end() - 1);
  is_only_returned_.assign(plan.slot_count(), 0);
  for (uint32_t slot : plan.output_slots) is_only_returned_[slot] = readers_[slot].empty() ? 1 : 0;
}

uint32_t RunMemory::next_use(const Held& held) {
  uint32_t& at = next_reader_[held.slot];
  const uint32_t end = readers_.first[held.slot + 1];
  while (at < end && finished_[readers_.items[at]] != 0) ++at;
  return at < end ? readers_.items[at] : UINT32_MAX;
}

uint64_t RunMemory::bound_of_outputs(uint32_t task) const {
  const PlanArrays& plan = program_.plan;
  uint64_t bytes = 0;
  for (uint32_t slot = plan.first_output[task]; slot < plan.first_output[task + 1]; ++slot)
    bytes += slot_bytes_[slot] == kUnknown ? guess_of(plan.function[task]) : slot_bytes_[slot];
  return bytes;
}

/// What it may take: what it yields, and what it needs beside that while it runs.
uint64_t RunMemory::bound_of(uint32_t task) const {
  return bound_of_outputs(task) + program_.plan.bytes_meanwhile(task);
}

/// What a function of unknown sizes may yield: as much as the largest that one of its name has yielded, or any other
/// when it is the first; the very first gets half of the memory, once.
uint64_t RunMemory::guess_of(uint32_t function) const {
  const uint64_t most = most_of_name_[name_number_[function]];
  if (most != kUnknown) return most;
  return most_of_all_ != kUnknown ? most_of_all_ : limit_ / 2;
}

/// Bytes in memory that go when the task is done: of blocks that it reads last and nobody else sees.
uint64_t RunMemory::bytes_freed_by(uint32_t task) const {
  const TaskRecord& record = program_.tasks[task];
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < record.input_count; ++i) {
    const uint32_t read = program_.reads[record.input + i];
    if (!is_tracked(read)) continue;
    const uint32_t slot = read & Program::kSlotMask;
    const Held& held = held_[slot];
    if (reads_left_[slot] == 1 && held.buffer != nullptr && !MemoryBudget::is_on_disk(held) &&
        held.buffer->views.size() == 1)
      bytes += held.buffer->bytes;
  }
  return bytes;
}

/// Functions of unknown sizes are told apart by their names: each call of a lambda that captures is a function of its
/// own, and what one of them yielded tells about the others.
void RunMemory::number_names() {
  const PlanArrays& plan = program_.plan;
  std::map<std::string, uint32_t> number_of;
  for (uint32_t f = 0; f < plan.functions.size(); ++f) {
    if (!plan.functions[f]->yields_unknown_sizes()) continue;
    name_number_.resize(plan.functions.size(), 0);
    const auto [at, added] =
        number_of.try_emplace(plan.name_of(f), static_cast<uint32_t>(number_of.size()));
    name_number_[f] = at->second;
  }
  most_of_name_.assign(number_of.size(), kUnknown);
}

uint64_t RunMemory::bytes_on_disk(uint32_t task) const {
  const TaskRecord& record = program_.tasks[task];
  uint64_t bytes = 0;
  std::vector<const HeldBuffer*> counted;  // few: each is a buffer that is on disk
  for (uint32_t i = 0; i < record.input_count; ++i) {
    const uint32_t read = program_.reads[record.input + i];
    if (!is_tracked(read)) continue;
    const Held& held = held_[read & Program::kSlotMask];
    if (!MemoryBudget::is_on_disk(held)) continue;
    if (std::find(counted.begin(), counted.end(), held.buffer) != counted.end()) continue;
    counted.push_back(held.buffer);
    bytes += held.buffer->bytes;
  }
  return bytes;
}

bool RunMemory::admit(uint32_t task, uint32_t w, Grant& grant) {
  grant = {};
  // Readers of the trace may ask for statistics, so they are told when the lock is free.
  struct Tell {
    Tracing* tracing;
    uint32_t w;
    const Grant& grant;
    ~Tell() {
      if (tracing == nullptr) return;
      if (grant.waited) tracing->end_wait(w);
      if (grant.read_back.bytes > 0) tracing->spilled(grant.read_back);
    }
  } const tell{tracing_, w, grant};
  Lock lock(budget_.mutex_);
  if (!wait_for_room(task, w, grant, lock)) return false;
  ++running_;
  ++budget_.at_work_;
  budget_.reserved_ += grant.bytes;
  try {
    pin(task, lock, grant, stop());
  } catch (...) {
    end_of_task(grant);
    throw;
  }
  grant.read_back.thread = w;
  return true;
}

/// False when the run is over. Throws what stopped the disk when nothing else can make room.
bool RunMemory::wait_for_room(uint32_t task, uint32_t w, Grant& grant, Lock& lock) {
  struct Waiting {
    MemoryBudget& budget;
    const Grant& grant;
    ~Waiting() {
      if (grant.waited) budget.stop_asking();
    }
  } const waiting{budget_, grant};
  uint64_t ends = budget_.ends_;
  auto last_end = std::chrono::steady_clock::now();
  const auto is_anybody_at_work = [&] {
    if (budget_.at_work_ == 0) return false;
    if (std::exchange(ends, budget_.ends_) != budget_.ends_)
      last_end = std::chrono::steady_clock::now();
    return std::chrono::steady_clock::now() - last_end < kPatience;
  };
  for (;;) {
    if (is_over()) return false;
    grant.bytes = bound_of(task) + bytes_on_disk(task);
    if (budget_.fits(grant.bytes, limit_) || grant.bytes * kSmallPart <= bytes_freed_by(task))
      return true;
    if (budget_.writing_ == 0 && !is_anybody_at_work()) {
      // Nobody will free anything: the disk must, or there is nothing to free.
      if (grant.waited && budget_.error_ != nullptr)
        std::rethrow_exception(std::exchange(budget_.error_, nullptr));
      if (!budget_.can_spill()) {
        ++budget_.ends_;  // the next one waits as long
        return true;
      }
    }
    if (!std::exchange(grant.waited, true)) {
      ++budget_.waiting_;
      budget_.error_ = nullptr;  // of an earlier try; the disk may have room by now
      if (tracing_ != nullptr) {
        lock.unlock();
        tracing_->begin_wait(w, WaitCause::memory);
        lock.lock();
        continue;
      }
    }
    const uint64_t all = live_bytes() + budget_.reserved_ + budget_.promised_ + grant.bytes;
    if (budget_.error_ == nullptr && all > limit_) budget_.ask(all - limit_);
    budget_.freed_.wait_for(lock, kLookAgain);
  }
}

void RunMemory::pin(uint32_t task, Lock& lock, Grant& grant, StopRequest stop) {
  const TaskRecord& record = program_.tasks[task];
  const auto each = [&](auto&& visit) {
    for (uint32_t i = 0; i < record.input_count; ++i) {
      const uint32_t read = program_.reads[record.input + i];
      if (is_tracked(read)) visit(held_[read & Program::kSlotMask]);
    }
  };
  each([](Held& held) { MemoryBudget::pin(held); });
  try {
    each([&](Held& held) {
      if (!MemoryBudget::is_on_disk(held)) return;
      TraceSpill& read = grant.read_back;
      if (read.start_ns == 0) read = {now_ns(), 0, 0, 0, 1};
      read.bytes += budget_.bring_back(held, lock, stop);
      read.end_ns = now_ns();
    });
  } catch (...) {
    unpin(task);
    throw;
  }
}

/// A value of this run went to disk. The lock is free.
void RunMemory::written(int64_t start_ns, size_t bytes) {
  if (tracing_ != nullptr) tracing_->spilled({start_ns, now_ns(), bytes, 0, 0});
}

void RunMemory::bring_back_inputs(uint32_t task) {
  Lock lock(budget_.mutex_);
  Grant grant;
  pin(task, lock, grant, {});  // although the run is over
}

void RunMemory::unpin(uint32_t task) {
  const TaskRecord& record = program_.tasks[task];
  for (uint32_t i = 0; i < record.input_count; ++i) {
    const uint32_t read = program_.reads[record.input + i];
    if (is_tracked(read)) MemoryBudget::unpin(held_[read & Program::kSlotMask]);
  }
}

void RunMemory::may_consume(uint32_t task, const bool* last_use) {
  const TaskRecord& record = program_.tasks[task];
  if (std::none_of(last_use, last_use + record.input_count, [](bool last) { return last; })) return;
  Lock lock(budget_.mutex_);
  for (uint32_t i = 0; i < record.input_count; ++i) {
    const uint32_t read = program_.reads[record.input + i];
    if (last_use[i] && is_tracked(read)) budget_.forget(held_[read & Program::kSlotMask], lock);
  }
}

namespace {

bool holds_block(const Held& held) {
  return held.value->holds<Block>() && std::as_const(*held.value).get<Block>();
}

}  // namespace

void RunMemory::trim_results(uint32_t task) {
  const PlanArrays& plan = program_.plan;
  for (uint32_t slot = plan.first_output[task]; slot < plan.first_output[task + 1]; ++slot) {
    if (is_only_returned_[slot] == 0 || !holds_block(held_[slot])) continue;
    auto& block = held_[slot].value->get<Block>();
    if (!is_piece(block)) continue;
    Block copy = Block::allocate(block.dtype(), block.shape());
    copy_elements(block, copy, stop());
    block = std::move(copy);
  }
}

void RunMemory::made(uint32_t task) {
  const PlanArrays& plan = program_.plan;
  Lock lock(budget_.mutex_);
  // What it is the last to read is freed next.
  const TaskRecord& record = program_.tasks[task];
  for (uint32_t i = 0; i < record.input_count; ++i) {
    const uint32_t read = program_.reads[record.input + i];
    if (!is_tracked(read)) continue;
    const uint32_t slot = read & Program::kSlotMask;
    if (--reads_left_[slot] == 0) budget_.forget(held_[slot], lock);
  }
  for (uint32_t slot = plan.first_output[task]; slot < plan.first_output[task + 1]; ++slot) {
    Held& held = held_[slot];
    const bool is_block = holds_block(held);
    if (slot_bytes_[slot] == kUnknown) {
      const uint64_t bytes =
          is_block ? std::as_const(*held.value).get<Block>().buffer().bytes() : 0;
      for (uint64_t* most : {&most_of_name_[name_number_[plan.function[task]]], &most_of_all_})
        *most = *most == kUnknown ? bytes : std::max(*most, bytes);
    }
    if (is_block && reads_left_[slot] > 0) budget_.add(held);
  }
}

void RunMemory::done(uint32_t task, const Grant& grant, bool succeeded) {
  const Lock lock(budget_.mutex_);
  unpin(task);
  if (succeeded) finished_[task] = 1;
  end_of_task(grant);
}

void RunMemory::end_of_task(const Grant& grant) {
  --running_;
  budget_.reserved_ -= grant.bytes;
  budget_.end_work();
}

TUFF_NAMESPACE_END
