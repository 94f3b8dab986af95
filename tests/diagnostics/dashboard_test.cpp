#include "tuff/diagnostics/dashboard.h"
#include <gtest/gtest.h>
