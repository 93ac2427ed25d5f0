// SPDX-License-Identifier: Apache-2.0
#include "models/base/object_json.h"
#include "models/results/explanation.h"

namespace lockstep::results {

namespace {

std::string name_of(PathSegment::Kind kind) {
  switch (kind) {
    case PathSegment::Kind::Compute:
      return "compute";
    case PathSegment::Kind::Message:
      return "message";
    case PathSegment::Kind::Handle:
      return "handle";
    case PathSegment::Kind::Input:
      return "input";
    case PathSegment::Kind::Wait:
      return "wait";
  }
  return "";
}

Json json_of(const PathSegment& segment, const std::string& name, Time origin) {
  Json json{{"kind", name_of(segment.kind)},
            {"name", name},
            {"rank", segment.rank},
            {"start", (segment.start - origin).seconds()},
            {"seconds", segment.duration().seconds()}};
  if (segment.peer >= 0) json["peer"] = segment.peer;
  return json;
}

}  // namespace

std::string to_json(const Explanation& explanation) {
  Json json{{"rank", explanation.rank},
            {"seconds", explanation.seconds},
            {"exposed_communication_seconds", explanation.exposed_communication_seconds},
            {"wait_seconds", explanation.wait_seconds},
            {"bounds",
             {{"compute_seconds", explanation.least_compute_seconds},
              {"network_seconds", explanation.least_network_seconds}}}};
  json["parts"] = json["critical_path"] = json["links"] = Json::array();
  for (const Explanation::Part& part : explanation.parts)
    json["parts"].push_back(
        {{"what", part.what}, {"seconds", part.seconds}, {"count", part.count}});
  for (std::size_t i = 0; i < explanation.path.size(); ++i)
    json["critical_path"].push_back(
        json_of(explanation.path[i], explanation.names[i], explanation.path.front().start));
  for (const Explanation::LinkUse& link : explanation.links)
    json["links"].push_back({{"name", link.name}, {"utilisation", link.utilisation}});
  return lockstep::to_text(json);
}

}  // namespace lockstep::results
