// SPDX-License-Identifier: Apache-2.0
// The JSON form of a network: reading, with errors that name file, place and layer; writing.
#include <array>
#include <filesystem>
#include <system_error>

#include "models/base/embedded.h"
#include "models/base/errors.h"
#include "models/base/object_json.h"
#include "models/network/network.h"

namespace lockstep::network {
namespace {

using Words = std::vector<std::string>;

constexpr std::array<LayerKind, 4> kKinds{LayerKind::Convolution, LayerKind::Dense, LayerKind::Relu,
                                          LayerKind::MaxPool};
constexpr std::size_t kMaxLayers = 10'000;

/// "; did you mean "…"?", or nothing when no candidate is near.
std::string suggestion(const std::string& word, const Words& candidates) {
  const std::string best = nearest(word, candidates.data(), candidates.data() + candidates.size());
  return best.empty() ? "" : "; did you mean \"" + best + "\"?";
}

std::string listed(const Words& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string name_of(const ObjectReader& reader) {
  const std::string name = reader.text("name");
  if (name.empty()) throw ConfigError(reader.place("name"), "must not be empty");
  return name;
}

LayerKind kind_of(const ObjectReader& reader) {
  const std::string word = reader.text("kind");
  Words known;
  for (const LayerKind kind : kKinds) {
    if (word == to_string(kind)) return kind;
    known.emplace_back(to_string(kind));
  }
  throw ConfigError(reader.place("kind"), "unknown kind \"" + word + "\"" +
                                              suggestion(word, known) +
                                              " (known: " + listed(known) + ")");
}

Words keys_of(LayerKind kind) {
  switch (kind) {
    case LayerKind::Convolution:
      return {"kind", "name", "channels", "kernel", "stride", "padding"};
    case LayerKind::Dense:
      return {"kind", "name", "features"};
    case LayerKind::Relu:
      return {"kind", "name"};
    case LayerKind::MaxPool:
      return {"kind", "name", "kernel", "stride"};
  }
  return {};
}

/// What the file says of one layer; infer() adds the rest.
Layer parse_layer(const Json& json, const std::string& where, const std::string& pointer) {
  Layer layer;
  // Only when the kind is known is it known which keys are.
  const Words any_kind{"kind", "name", "channels", "features", "kernel", "stride", "padding"};
  layer.kind = kind_of(ObjectReader(json, where, pointer, any_kind));
  const ObjectReader reader(json, where, pointer, keys_of(layer.kind));
  switch (layer.kind) {
    case LayerKind::Convolution:
      layer.output.channels = reader.integer("channels", 1, kMaxSize);
      layer.kernel = reader.integer("kernel", 1, kMaxKernel);
      layer.stride = reader.integer("stride", 1, kMaxSize, {1});
      layer.padding = reader.integer("padding", 0, kMaxKernel, {0});
      break;
    case LayerKind::Dense:
      layer.output.channels = reader.integer("features", 1, kMaxSize);
      break;
    case LayerKind::Relu:
      break;
    case LayerKind::MaxPool:
      layer.kernel = reader.integer("kernel", 1, kMaxKernel);
      layer.stride = reader.integer("stride", 1, kMaxSize, {layer.kernel});
      break;
  }
  if (reader.has("name")) layer.name = name_of(reader);
  return layer;
}

Json layer_to_json(const Layer& layer) {
  Json json{{"kind", to_string(layer.kind)}, {"name", layer.name}};
  switch (layer.kind) {
    case LayerKind::Convolution:
      json["channels"] = layer.output.channels;
      json["kernel"] = layer.kernel;
      json["stride"] = layer.stride;
      json["padding"] = layer.padding;
      break;
    case LayerKind::Dense:
      json["features"] = layer.output.channels;
      break;
    case LayerKind::Relu:
      break;
    case LayerKind::MaxPool:
      json["kernel"] = layer.kernel;
      json["stride"] = layer.stride;
      break;
  }
  return json;
}

}  // namespace

Network parse_network(const std::string& text, const std::string& where) {
  const Json json = parse_json(text, where);
  const ObjectReader root(json, where, "", {"name", "input", "classes", "layers"});
  Network network;
  network.name = name_of(root);
  const ObjectReader input = root.object("input", {"height", "width", "channels"});
  network.input = {input.integer("height", 1, kMaxSize), input.integer("width", 1, kMaxSize),
                   input.integer("channels", 1, kMaxSize)};
  if (network.input.elements() > kMaxElements)
    throw ConfigError(input.place(), "an image of " + to_string(network.input) + " has more than " +
                                         std::to_string(kMaxElements) + " elements");
  network.classes = root.integer("classes", 2, kMaxSize);
  const Json& layers = root.value("layers");
  if (!layers.is_array() || layers.empty() || layers.size() > kMaxLayers)
    throw ConfigError(root.place("layers"),
                      "must be a list of 1 … " + std::to_string(kMaxLayers) + " layers");
  const auto pointer = [](std::size_t layer) { return "/layers/" + std::to_string(layer); };
  for (const Json& layer : layers)
    network.layers.push_back(parse_layer(layer, where, pointer(network.layers.size())));
  if (const auto misfit = infer(network))
    throw ConfigError(where + ": " + pointer(misfit->layer), misfit->explanation);
  return network;
}

Network load_network(const std::string& name_or_path) {
  Words names;
  for (const EmbeddedFile& file : embedded_networks()) {
    names.push_back(file.name.substr(0, file.name.rfind(".json")));
    if (names.back() == name_or_path) return parse_network(file.content, name_or_path);
  }
  std::error_code ignored;  // what cannot be looked at cannot be read either
  if (!std::filesystem::exists(name_or_path, ignored))
    throw ConfigError(name_or_path, "is neither a network's name nor a file" +
                                        suggestion(name_or_path, names) +
                                        " (names: " + listed(names) + ")");
  return parse_network(read_text(name_or_path), name_or_path);
}

std::string to_json(const Network& network) {
  Json layers = Json::array();
  for (const Layer& layer : network.layers)
    layers.push_back(layer_to_json(layer));
  return to_text({{"name", network.name},
                  {"input",
                   {{"height", network.input.height},
                    {"width", network.input.width},
                    {"channels", network.input.channels}}},
                  {"classes", network.classes},
                  {"layers", layers}});
}

}  // namespace lockstep::network
