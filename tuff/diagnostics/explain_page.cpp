// An explanation as the data of its page, which page/explain.js draws; see explain.h.
#include "tuff/base/version.h"
#include "tuff/diagnostics/explain.h"
#include "tuff/diagnostics/json.h"
#include "tuff/diagnostics/page.h"

TUFF_NAMESPACE_BEGIN

namespace {

void put_layers(JsonWriter& json, const std::vector<Explanation::Layer>& layers) {
  json.open('[');
  for (const Explanation::Layer& layer : layers) {
    json.open('{');
    json.member("title", layer.title);
    json.member("name", layer.name);
    json.key("inputs");
    json.open('[');
    for (const auto& [input, output] : layer.inputs) {
      json.open('[');
      json.value(input);
      json.value(output);
      json.close(']');
    }
    json.close(']');
    json.key("outputs");
    json.open('[');
    for (const std::string& output : layer.outputs) json.value(output);
    json.close(']');
    json.member("tasks", layer.tasks);
    json.member("fromMemory", layer.bytes_from_memory);
    json.member("fromTasks", layer.bytes_from_tasks);
    json.member("written", layer.bytes_written);
    json.member("held", layer.bytes_held);
    json.member("largestTask", layer.largest_task);
    json.member("largestBlock", layer.largest_block);
    json.member("width", layer.width);
    json.close('}');
  }
  json.close(']');
}

void put_steps(JsonWriter& json, const std::vector<Explanation::Step>& steps) {
  json.key("steps");
  json.open('[');
  for (const Explanation::Step& step : steps) {
    json.open('{');
    json.member("name", step.name);
    json.member("purpose", step.purpose);
    json.member("seconds", step.seconds);
    json.member("before", step.before);
    json.member("after", step.after);
    json.member("gone", step.gone);
    json.member("added", step.added);
    json.key("layers");
    put_layers(json, step.layers);
    json.close('}');
  }
  json.close(']');
}

void put_totals(JsonWriter& json, const Explanation& e) {
  json.member("tasks", e.tasks);
  json.member("edges", e.edges);
  json.member("inMemory", e.bytes_in_memory);
  json.member("fromMemory", e.bytes_from_memory);
  json.member("fromSources", e.bytes_from_sources);
  json.member("fromTasks", e.bytes_from_tasks);
  json.member("written", e.bytes_written);
  json.member("results", e.bytes_results);
  json.member("held", e.bytes_held);
  json.member("largestTask", e.largest_task);
  json.member("seconds", e.seconds);
}

}  // namespace

std::string Explanation::to_html() const {
  JsonWriter json;
  json.open('{');
  json.member("title", title);
  json.member("version", TUFF_VERSION);
  put_totals(json, *this);
  json.key("disabled");
  json.open('[');
  for (const std::string& name : disabled) json.value(name);
  json.close(']');
  put_steps(json, steps);
  json.key("built");
  put_layers(json, built);
  json.key("layers");
  put_layers(json, layers);
  json.key("choices");
  json.open('[');
  for (const Choice& choice : choices) {
    json.open('{');
    json.member("what", choice.what);
    json.member("value", choice.value);
    json.member("reason", choice.reason);
    json.close('}');
  }
  json.close(']');
  json.key("hints");
  json.open('[');
  for (const Hint& hint : hints) {
    json.open('{');
    json.member("layer", hint.layer);
    json.member("text", hint.text);
    json.close('}');
  }
  json.close(']');
  json.close('}');
  return filled(kExplainPage, title, json.take());
}

TUFF_NAMESPACE_END
