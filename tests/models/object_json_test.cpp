// SPDX-License-Identifier: Apache-2.0
// The strict reading that all JSON loaders share, and the layout of what is written.
#include "models/base/object_json.h"

#include <catch2/catch.hpp>
#include <functional>

#include "models/base/errors.h"

using namespace lockstep;

namespace {

/// The error of reading `text`, an object that may have the keys size, time, rate, name and list.
std::string error_of(
    const std::string& text,
    const std::function<void(const ObjectReader&)>& read = [](const auto&) {}) {
  try {
    const Json json = parse_json(text, "f.json");
    read(ObjectReader(json, "f.json", "", {"size", "time", "rate", "name", "list"}));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("object_json: text that is not JSON is an error with its place", "[base]") {
  CHECK_THAT(error_of("{\n  \"size\": }"),
             Catch::StartsWith("f.json: is not JSON: parse error at line 2, column 11"));
  CHECK_THAT(error_of(""), Catch::StartsWith("f.json: is not JSON: parse error"));
  CHECK_THAT(error_of(R"({"size": 1e999})"), Catch::StartsWith("f.json: is not JSON: "));
}

TEST_CASE("object_json: a key twice in one object is an error, in two objects it is not",
          "[base]") {
  CHECK(error_of(R"({"size": 1, "size": 2})") ==
        "f.json: has the key \"size\" twice in one object");
  CHECK(error_of(R"({"list": [{"size": 1}, {"size": 2}], "size": 3})") == "no error");
}

TEST_CASE("object_json: an unknown key is an error with a suggestion or the known ones", "[base]") {
  CHECK(error_of(R"({"nmae": 1})") == "f.json: /nmae: unknown key; did you mean \"name\"?");
  CHECK(error_of(R"({"colourful": 1})") ==
        "f.json: /colourful: unknown key (known here: size, time, rate, name, list)");
  CHECK(error_of("[1]") == "f.json: must be an object, is [1]");
}

TEST_CASE("object_json: wrong types and ranges name the place, the expectation and the value",
          "[base]") {
  const auto size = [](const ObjectReader& reader) { reader.integer<std::int32_t>("size", 1, 8); };
  CHECK(error_of(R"({"size": 8})", size) == "no error");
  CHECK(error_of("{}", size) == "f.json: \"size\" is missing");
  for (const char* wrong : {"9", "0", "-1", "2.5", "2.0", "\"2\"", "null", "18446744073709551615"})
    CHECK(error_of("{\"size\": " + std::string(wrong) + "}", size) ==
          "f.json: /size: must be a whole number 1 … 8, is " + std::string(wrong));

  const auto rate = [](const ObjectReader& reader) { reader.number("rate", 0, 1); };
  CHECK(error_of(R"({"rate": 1})", rate) == "no error");
  CHECK(error_of(R"({"rate": 1.5})", rate) == "f.json: /rate: must be 0.0 … 1.0, is 1.5");
  CHECK(error_of(R"({"rate": true})", rate) == "f.json: /rate: must be a number, is true");

  const auto time = [](const ObjectReader& reader) { reader.seconds("time"); };
  CHECK(error_of(R"({"time": "25 us"})", time) == "no error");
  CHECK_THAT(error_of(R"({"time": "25"})", time),
             Catch::StartsWith("f.json: /time: the unit is missing"));
  CHECK(error_of(R"({"time": 25})", time) == "f.json: /time: must be a text, is 25");
}

TEST_CASE("object_json: unsigned fields reach to 2^64 - 1", "[base]") {
  const Json json = parse_json(R"({"size": 18446744073709551615})", "f.json");
  CHECK(ObjectReader(json, "f.json", "", {"size"}).integer<std::uint64_t>("size") == UINT64_MAX);
}

TEST_CASE("object_json: errors in lists of objects name the element", "[base]") {
  const auto read = [](const ObjectReader& reader) {
    for (const ObjectReader& element : reader.objects("list", {"name"}))
      element.text("name");
  };
  CHECK(error_of(R"({"list": [{"name": "a"}, {"name": 3}]})", read) ==
        "f.json: /list/1/name: must be a text, is 3");
  CHECK(error_of(R"({"list": [{"name": "a"}, {}]})", read) ==
        "f.json: /list/1: \"name\" is missing");
  CHECK(error_of(R"({"list": {}})", read) == "f.json: /list: must be a list, is {}");
}

TEST_CASE("object_json: written text is short lines, and reads back as the same value", "[base]") {
  Json json{{"name", "a, \"b\": c"}, {"rate", 0.1}, {"size", UINT64_MAX}};
  json["list"] = Json::array({Json{{"x", 1}, {"y", -2.5}}, Json{{"x", 2}, {"y", 1e300}}});
  json["none"] = Json::array();
  CHECK(to_text(json) == R"({
  "name": "a, \"b\": c",
  "rate": 0.1,
  "size": 18446744073709551615,
  "list": [
    {"x": 1, "y": -2.5},
    {"x": 2, "y": 1e+300}
  ],
  "none": []
}
)");
  CHECK(parse_json(to_text(json), "f.json") == json);

  // 200 numbers of 4 characters with ", " between them fill lines of at most 100 columns.
  Json numbers = Json::array();
  for (int i = 0; i < 200; ++i)
    numbers.push_back(1000 + i);
  const std::string text = to_text(Json{{"numbers", numbers}});
  std::size_t lines = 0;
  for (std::size_t begin = 0; begin < text.size(); ++lines) {
    const std::size_t end = text.find('\n', begin);
    CHECK(end - begin <= 100);
    begin = end + 1;
  }
  // 4 lines of braces and brackets; a line takes 4 of margin and 6 a number, 15 or 16 of them.
  CHECK(lines >= 4 + 200 / 16);
  CHECK(lines <= 4 + 200 / 15 + 1);
  CHECK(parse_json(text, "f.json")["numbers"] == numbers);
}
