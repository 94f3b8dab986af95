// What push_slices and rechunk share: rewriting a graph from its outputs to its sources, by what the readers
// of a layer wish to have of it (a slice, or other blocks) instead of the layer as it is.
//
// A policy P says what a wish is:
//   using Wish = ...                                      Slices or Chunks
//   static bool is_movement(const Layer&)                 the layer is nothing but a wish on its input
//   static const Wish& wish_of(const Layer&)              ... which one
//   static Wish as_it_is(const Layer&)                    the wish that changes nothing of a movement layer
//   static ... key_of(const Wish&)                        anything ordered; equal keys are equal wishes
//   static Port through(const Layer&, uint32_t, const Wish&)    made from wishes on its inputs, or no layer
//   Port above(const Port&, const Wish&)                  the movement layer on what was made as it is
//   P(const std::vector<LayerPtr>& layers, const std::vector<Port>& outputs, what grant_wishes was given)
//   bool grants(const Layer&, const Demand<Wish>&, const Part<Wish>&)   whether to go through the layer
// Layers that nobody needs as they are any more are gone. Linear in layers and wishes; any depth.
#pragma once

#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tuff/graph/layer.h"

TUFF_NAMESPACE_BEGIN
namespace optimize {

/// One wish for one output of a layer.
template <class Wish>
struct Part {
  uint32_t output = 0;
  Wish wish;
  graph::Port plan;  ///< made from new layers on inputs of before; no layer: taken above the layer
  graph::Port made;
};

/// All that readers want of a layer.
template <class Wish>
struct Demand {
  bool whole = false;  ///< somebody reads it as it is
  std::vector<Part<Wish>> parts;
};

template <class P>
class WishPass {
 public:
  using Wish = typename P::Wish;

  /// `layers`: as layers_in_order(outputs) gives them.
  template <class... Settings>
  WishPass(const std::vector<graph::Port>& outputs, const std::vector<graph::LayerPtr>& layers,
           const Settings&... settings)
      : outputs_(outputs), layers_(layers), policy_(layers, outputs, settings...) {
    for (size_t l = 0; l < layers_.size(); ++l) number_[layers_[l].get()] = l;
    demands_.resize(layers_.size());
    found_.resize(layers_.size());
  }

  std::vector<graph::Port> run() {
    for (const graph::Port& output : outputs_) demand(output);
    for (size_t l = layers_.size(); l-- > 0;) settle(l);
    for (size_t l = 0; l < layers_.size(); ++l) make(l);
    std::vector<graph::Port> result;
    for (const graph::Port& output : outputs_) result.push_back(resolve(output));
    return result;
  }

 private:
  /// Notes what a new layer, or a port of before, wants of the layers of before.
  void demand(const graph::Port& port) {
    const auto known = number_.find(port.layer.get());
    if (known != number_.end()) {
      if (P::is_movement(*port.layer)) {
        part(known->second, port.output, P::as_it_is(*port.layer));
      } else {
        demands_[known->second].whole = true;
      }
      return;
    }
    if (P::is_movement(*port.layer)) {
      const graph::Port& input = port.layer->inputs()[0];
      const auto below = number_.find(input.layer.get());
      if (below != number_.end()) {
        part(below->second, input.output, P::wish_of(*port.layer));
        return;
      }
    }
    for (const graph::Port& input : port.layer->inputs()) demand(input);
  }

  size_t part(size_t l, uint32_t output, const Wish& wish) {
    auto& parts = demands_[l].parts;
    const auto [at, added] = found_[l].try_emplace({output, P::key_of(wish)}, parts.size());
    if (added) parts.push_back({output, wish, {}, {}});
    return at->second;
  }

  void settle(size_t l) {
    const graph::LayerPtr& layer = layers_[l];
    Demand<Wish>& needed = demands_[l];
    const bool movement = P::is_movement(*layer);
    for (size_t p = 0; p < needed.parts.size(); ++p) {
      // A layer without work of its own comes first where it is wanted as it is.
      if (!policy_.grants(*layer, needed, needed.parts[p])) continue;
      needed.parts[p].plan = P::through(*layer, needed.parts[p].output, needed.parts[p].wish);
    }
    for (size_t p = 0; p < needed.parts.size(); ++p) {
      if (needed.parts[p].plan.layer) continue;
      if (!movement) {
        needed.whole = true;
        continue;
      }
      const size_t own = part(l, 0, P::as_it_is(*layer));
      Part<Wish>& as_it_is = demands_[l].parts[own];
      if (!as_it_is.plan.layer) as_it_is.plan = P::through(*layer, 0, as_it_is.wish);
    }
    for (const Part<Wish>& p : needed.parts) {
      if (p.plan.layer) demand(p.plan);
    }
    if (!needed.whole) return;
    for (const graph::Port& input : layer->inputs()) demand(input);
  }

  void make(size_t l) {
    const graph::LayerPtr& layer = layers_[l];
    Demand<Wish>& needed = demands_[l];
    if (needed.whole) made_[layer.get()] = rebuilt(layer);
    for (Part<Wish>& p : needed.parts) {
      if (p.plan.layer) p.made = resolve(p.plan);
    }
    for (Part<Wish>& p : needed.parts) {
      if (!p.plan.layer) p.made = policy_.above(resolve({layer, p.output}), p.wish);
      TUFF_CHECK(p.made.layer != nullptr);
    }
  }

  graph::LayerPtr rebuilt(const graph::LayerPtr& layer) {
    std::vector<graph::Port> inputs;
    bool changed = false;
    for (const graph::Port& input : layer->inputs()) {
      inputs.push_back(resolve(input));
      changed = changed || !(inputs.back() == input);
    }
    return changed ? layer->with_inputs(std::move(inputs)) : layer;
  }

  /// What a port of before, or of a plan, has become.
  graph::Port resolve(const graph::Port& port) {
    const auto known = number_.find(port.layer.get());
    if (known != number_.end()) {
      if (P::is_movement(*port.layer))
        return granted(known->second, port.output, P::as_it_is(*port.layer));
      return {made_.at(port.layer.get()), port.output};
    }
    if (P::is_movement(*port.layer)) {
      const graph::Port& input = port.layer->inputs()[0];
      const auto below = number_.find(input.layer.get());
      if (below != number_.end())
        return granted(below->second, input.output, P::wish_of(*port.layer));
    }
    return {rebuilt(port.layer), port.output};
  }

  const graph::Port& granted(size_t l, uint32_t output, const Wish& wish) {
    return demands_[l].parts[found_[l].at({output, P::key_of(wish)})].made;
  }

  using Key = std::pair<uint32_t, decltype(P::key_of(std::declval<const Wish&>()))>;
  const std::vector<graph::Port>& outputs_;
  const std::vector<graph::LayerPtr>& layers_;
  P policy_;
  std::unordered_map<const graph::Layer*, size_t> number_;
  std::vector<Demand<Wish>> demands_;
  std::vector<std::map<Key, size_t>> found_;  // by layer: the place in demands_ of each wish
  std::unordered_map<const graph::Layer*, graph::LayerPtr> made_;
};

template <class P, class... Settings>
std::vector<graph::Port> grant_wishes(const std::vector<graph::Port>& outputs,
                                      const Settings&... settings) {
  const std::vector<graph::LayerPtr> layers = graph::layers_in_order(outputs);
  for (const graph::LayerPtr& layer : layers) {
    if (P::is_movement(*layer)) return WishPass<P>(outputs, layers, settings...).run();
  }
  return outputs;
}

}  // namespace optimize
TUFF_NAMESPACE_END
