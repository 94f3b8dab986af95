// Everything a program needs: #include "tuff/tuff.h".
#pragma once

#include "tuff/array/array.h"
#include "tuff/array/creation.h"
#include "tuff/array/linalg.h"
#include "tuff/array/math.h"
#include "tuff/array/random.h"
#include "tuff/array/reductions.h"
#include "tuff/base/context.h"
#include "tuff/base/error.h"
#include "tuff/base/version.h"
#include "tuff/compute.h"
#include "tuff/delayed.h"
#include "tuff/diagnostics/progress.h"
#include "tuff/diagnostics/recorder.h"
#include "tuff/diagnostics/report.h"
#include "tuff/graph/serialize.h"
