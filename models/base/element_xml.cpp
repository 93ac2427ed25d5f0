// SPDX-License-Identifier: Apache-2.0
#include "models/base/element_xml.h"

#include <expat.h>

#include <algorithm>
#include <charconv>

#include "models/base/errors.h"

namespace lockstep {

namespace {

std::string place_of(const std::string& file, int line) {
  return file + ":" + std::to_string(line);
}

/// `text` for the end of an error's line: shortened, and nothing in it that a terminal obeys.
std::string quoted(std::string text) {
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return '"' + text + '"';
}

std::string listed(const Element::Names& names) {
  std::string text;
  for (const std::string& name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

Element::Element(std::string name, Attributes attributes, std::shared_ptr<const std::string> file,
                 int line)
    : name_(std::move(name)),
      attributes_(std::move(attributes)),
      file_(std::move(file)),
      line_(line) {}

std::string Element::place() const {
  return place_of(*file_, line_);
}

const std::string* Element::find(const std::string& attribute) const {
  for (const auto& [key, value] : attributes_)
    if (key == attribute) return &value;
  return nullptr;
}

void Element::expect(const std::string& name, const Names& known) const {
  if (name_ != name)
    throw ConfigError(place(), "expected <" + name + ">, is an element " + quoted(name_));
  for (const auto& [key, value] : attributes_) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string meant = nearest(key, known.data(), known.data() + known.size());
    throw ConfigError(place(), "<" + name + "> has no attribute " + quoted(key) +
                                   (meant.empty() ? " (known here: " + listed(known) + ")"
                                                  : "; did you mean \"" + meant + "\"?"));
  }
}

std::string Element::text(const std::string& attribute, std::optional<std::string> fallback) const {
  const std::string* value = find(attribute);
  if (value) return *value;
  if (fallback) return *fallback;
  throw ConfigError(place(), "<" + name_ + "> lacks the attribute \"" + attribute + "\"");
}

std::int64_t Element::integer(const std::string& attribute, std::int64_t low, std::int64_t high,
                              std::optional<std::int64_t> fallback) const {
  if (fallback && !has(attribute)) return *fallback;
  const std::string value = text(attribute);
  std::int64_t number = 0;
  const char* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, number);
  if (error != std::errc() || stop != end || number < low || number > high)
    throw ConfigError(place(), attribute + " must be a whole number " + std::to_string(low) +
                                   " … " + std::to_string(high) + ", is " + quoted(value));
  return number;
}

std::size_t Element::choice(const std::string& attribute,
                            std::span<const char* const> names) const {
  const std::string value = text(attribute);
  const auto found = std::find(names.begin(), names.end(), value);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  throw ConfigError(place(), attribute + " must be one of " + listed({names.begin(), names.end()}) +
                                 ", is " + quoted(value));
}

namespace {

/// Builds the tree while expat reads. The first error is kept and stops the parser: an exception
/// must not pass through C.
class Builder {
 public:
  Builder(const std::string& where, std::size_t depth)
      : file_(std::make_shared<const std::string>(where)),
        depth_(depth),
        parser_(XML_ParserCreate(nullptr), XML_ParserFree) {
    if (!parser_) throw std::bad_alloc();
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(parser_.get(), on_start, on_end);
    XML_SetCharacterDataHandler(parser_.get(), on_text);
    XML_SetStartDoctypeDeclHandler(parser_.get(), on_doctype);
  }

  Element parse(const std::string& text) {
    const auto status =
        XML_Parse(parser_.get(), text.data(), static_cast<int>(text.size()), XML_TRUE);
    if (!error_.empty()) throw ConfigError(error_);
    if (status != XML_STATUS_OK)
      throw ConfigError(place_of(*file_, line()),
                        std::string("is not well-formed XML: ") +
                            XML_ErrorString(XML_GetErrorCode(parser_.get())));
    return std::move(*root_);
  }

 private:
  static void on_start(void* self, const XML_Char* name, const XML_Char** attributes) {
    static_cast<Builder*>(self)->start(name, attributes);
  }
  static void on_end(void* self, const XML_Char*) { static_cast<Builder*>(self)->end(); }
  static void on_text(void* self, const XML_Char* text, int length) {
    const bool is_blank = std::all_of(text, text + length, [](char c) {
      return c == ' ' || c == '\n' || c == '\r' || c == '\t';
    });
    if (!is_blank) static_cast<Builder*>(self)->fail("text is not expected here");
  }
  static void on_doctype(void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    static_cast<Builder*>(self)->fail("a document type is not expected here");
  }

  void start(const XML_Char* name, const XML_Char** attributes) {
    if (open_.size() == depth_) {
      fail("elements are nested deeper than " + std::to_string(depth_));
      return;
    }
    Element::Attributes pairs;
    for (; *attributes != nullptr; attributes += 2)
      pairs.emplace_back(attributes[0], attributes[1]);
    Element element(name, std::move(pairs), file_, line());
    open_.push_back(open_.empty() ? &root_.emplace(std::move(element))
                                  : &open_.back()->add(std::move(element)));
  }

  /// An empty element's end is still told when its start has stopped the parser.
  void end() {
    if (error_.empty()) open_.pop_back();
  }

  void fail(const std::string& what) {
    if (error_.empty()) error_ = place_of(*file_, line()) + ": " + what;
    XML_StopParser(parser_.get(), XML_FALSE);
  }

  int line() const { return static_cast<int>(XML_GetCurrentLineNumber(parser_.get())); }

  std::shared_ptr<const std::string> file_;
  std::size_t depth_;
  std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser_;
  std::optional<Element> root_;
  /// From the root to the innermost element that is not closed yet. None of them moves: a sibling
  /// is added only when it is closed.
  std::vector<Element*> open_;
  std::string error_;
};

}  // namespace

Element parse_xml(const std::string& text, const std::string& where, std::size_t depth) {
  if (text.size() > std::size_t{64} << 20) throw ConfigError(where, "is larger than 64 MiB");
  return Builder(where, depth).parse(text);
}

std::string escape_xml(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&')
      escaped += "&amp;";
    else if (c == '<')
      escaped += "&lt;";
    else if (c == '"')
      escaped += "&quot;";
    else
      escaped += c;
  }
  return escaped;
}

}  // namespace lockstep
