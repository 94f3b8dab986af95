// See arrow_pool.h.
#include "tuff/table/arrow_pool.h"

#include <string>

#include <arrow/status.h>

#include "tuff/base/buffer.h"

TUFF_NAMESPACE_BEGIN
namespace table::detail {

namespace {

class CountedPool final : public arrow::MemoryPool {
 public:
  arrow::Status Allocate(int64_t size, int64_t alignment, uint8_t** out) override {
    const arrow::Status status = inner_->Allocate(size, alignment, out);
    if (status.ok()) count_foreign_bytes(size);
    return status;
  }
  arrow::Status Reallocate(int64_t old_size, int64_t new_size, int64_t alignment,
                           uint8_t** buffer) override {
    const arrow::Status status = inner_->Reallocate(old_size, new_size, alignment, buffer);
    if (status.ok()) count_foreign_bytes(new_size - old_size);
    return status;
  }
  void Free(uint8_t* buffer, int64_t size, int64_t alignment) override {
    inner_->Free(buffer, size, alignment);
    count_foreign_bytes(-size);
  }
  int64_t bytes_allocated() const override { return inner_->bytes_allocated(); }
  int64_t max_memory() const override { return inner_->max_memory(); }
  int64_t total_bytes_allocated() const override { return inner_->total_bytes_allocated(); }
  int64_t num_allocations() const override { return inner_->num_allocations(); }
  std::string backend_name() const override { return inner_->backend_name(); }
  void ReleaseUnused() override { inner_->ReleaseUnused(); }

 private:
  arrow::MemoryPool* const inner_ = arrow::default_memory_pool();
};

}  // namespace

arrow::MemoryPool* counted_pool() {
  static arrow::MemoryPool& pool = *new CountedPool;  // Arrow's buffers may outlive static objects
  return &pool;
}

}  // namespace table::detail
TUFF_NAMESPACE_END
