// The memory pool that Arrow is given: its default one, counted as blocks are, so that memory budgets see it.
#pragma once

#include <arrow/memory_pool.h>

#include "tuff/base/api.h"

TUFF_NAMESPACE_BEGIN
namespace table::detail {

/// Lives as long as the process. What it hands out is part of live_bytes() (base/buffer.h).
arrow::MemoryPool* counted_pool();

}  // namespace table::detail
TUFF_NAMESPACE_END
