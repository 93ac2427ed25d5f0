// SPDX-License-Identifier: Apache-2.0
#include "models/base/text_file.h"

#include <catch2/catch.hpp>

#include "models/base/errors.h"

using namespace lockstep;

TEST_CASE("text_file: a missing file or a folder is an error that names it", "[base]") {
  CHECK_THROWS_WITH(read_text("/nowhere/x.json"), "/nowhere/x.json: cannot be opened for reading");
  CHECK_THROWS_AS(read_text("/"), ConfigError);
}
