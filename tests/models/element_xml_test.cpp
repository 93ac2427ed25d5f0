// SPDX-License-Identifier: Apache-2.0
// The strict reading that all XML loaders share.
#include "models/base/element_xml.h"

#include <array>
#include <catch2/catch.hpp>
#include <functional>

#include "models/base/errors.h"

using namespace lockstep;

namespace {

std::string error_of(
    const std::string& text, const std::function<void(const Element&)>& read = [](const auto&) {}) {
  try {
    read(parse_xml(text, "f.xml", 3));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("element_xml: elements, attributes and lines are as in the text", "[base]") {
  const Element root = parse_xml(
      "<?xml version=\"1.0\"?>\n<!-- a\n comment -->\n<a x='1' y=\"&lt;&amp;&quot;\">\n"
      "  <b/>\n  <b z=\"\"><c/></b>\n</a>\n",
      "f.xml", 3);
  CHECK(root.name() == "a");
  CHECK(root.place() == "f.xml:4");
  CHECK(root.text("y") == "<&\"");
  CHECK(escape_xml(root.text("y")) == "&lt;&amp;&quot;");
  CHECK(root.integer("x", 0, 9) == 1);
  CHECK(root.integer("w", 0, 9, 7) == 7);
  CHECK(root.text("w", "") == "");
  REQUIRE(root.children().size() == 2);
  CHECK(root.children()[0].line() == 5);
  CHECK(root.children()[1].has("z"));
  CHECK(root.children()[1].children()[0].place() == "f.xml:6");
}

TEST_CASE("element_xml: numbers are whole, decimal and in range", "[base]") {
  const auto x = [](const Element& element) { element.integer("x", -1, 8); };
  CHECK(error_of("<a x='8'/>", x) == "no error");
  CHECK(error_of("<a x='-1'/>", x) == "no error");
  for (const char* wrong : {"9", "-2", "", " 1", "1 ", "+1", "0x1", "1.0", "99999999999999999999"})
    CHECK(error_of("<a x='" + std::string(wrong) + "'/>", x) ==
          "f.xml:1: x must be a whole number -1 … 8, is \"" + std::string(wrong) + "\"");
  CHECK(error_of("<a/>", x) == "f.xml:1: <a> lacks the attribute \"x\"");
}

TEST_CASE("element_xml: a choice is one of the names", "[base]") {
  const auto x = [](const Element& element) {
    const std::size_t which = element.choice("x", std::array{"one", "two"});
    CHECK(which == 1);
  };
  CHECK(error_of("<a x='two'/>", x) == "no error");
  CHECK(error_of("<a x='2&#10;'/>", x) == "f.xml:1: x must be one of one, two, is \"2?\"");
}

TEST_CASE("element_xml: other names than the expected ones are errors", "[base]") {
  const auto expect = [](const Element& element) { element.expect("a", {"size", "rate"}); };
  CHECK(error_of("<a size='' rate=''/>", expect) == "no error");
  CHECK(error_of("\n<b/>", expect) == "f.xml:2: expected <a>, is an element \"b\"");
  CHECK(error_of("<a szie=''/>", expect) ==
        "f.xml:1: <a> has no attribute \"szie\"; did you mean \"size\"?");
  CHECK(error_of("<a colour=''/>", expect) ==
        "f.xml:1: <a> has no attribute \"colour\" (known here: size, rate)");
  // What an error quotes is short, and no more than text.
  CHECK(error_of("<a " + std::string(100, 'x') + "=''/>", expect) ==
        "f.xml:1: <a> has no attribute \"" + std::string(57, 'x') +
            "...\" (known here: size, rate)");
  CHECK(error_of("<\xc3\xa4/>", expect) == "f.xml:1: expected <a>, is an element \"??\"");
}

TEST_CASE("element_xml: text, document types, depth and size are limited", "[base]") {
  CHECK(error_of("<a>\n <b/> x</a>") == "f.xml:2: text is not expected here");
  CHECK(error_of("<!DOCTYPE a [<!ENTITY b 'bb'>]><a/>") ==
        "f.xml:1: a document type is not expected here");
  CHECK(error_of("<a><b><c/></b></a>") == "no error");
  CHECK(error_of("<a><b>\n<c><d/></c></b></a>") == "f.xml:2: elements are nested deeper than 3");
  std::string deep;
  for (int i = 0; i < 100000; ++i)
    deep += "<a>";
  CHECK(error_of(deep) == "f.xml:1: elements are nested deeper than 3");
  CHECK(error_of(std::string((64 << 20) + 1, ' ')) == "f.xml: is larger than 64 MiB");
}
