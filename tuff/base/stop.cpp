// What stopped work throws; see stop.h.
#include "tuff/base/stop.h"

#include "tuff/base/error.h"

TUFF_NAMESPACE_BEGIN

void StopRequest::throw_stopped() { throw Cancelled(Cancelled::Reason::stop_requested); }

TUFF_NAMESPACE_END
