// --- Layer graphs: boxes in ranks, inputs above readers ------------------------------------------------

const NODE = {width: 216, gapX: 28, gapY: 46, bend: 12};

/** Nodes with their rank (the longest way from a source), plus bends where an edge passes a rank.
 *  Layers come inputs before readers. */
function rankedGraph(graph) {
  const nodes = graph.layers.map((layer) => ({layer, rank: 0, width: NODE.width, above: [], below: []}));
  // A layer without inputs stands right above its first reader.
  for (const [from, to] of graph.edges) nodes[to].rank = Math.max(nodes[to].rank, nodes[from].rank + 1);
  graph.layers.forEach((_, i) => {
    if (graph.edges.some(([, to]) => to === i)) return;
    const readers = graph.edges.filter(([from]) => from === i).map(([, to]) => nodes[to].rank);
    if (readers.length > 0) nodes[i].rank = Math.min(...readers) - 1;
  });
  const all = [...nodes];
  const ways = graph.edges.map(([from, to]) => {
    const way = [nodes[from]];
    for (let rank = nodes[from].rank + 1; rank < nodes[to].rank; ++rank) {
      all.push({layer: null, rank, width: NODE.bend, height: 0, above: [], below: []});
      way.push(all.at(-1));
    }
    way.push(nodes[to]);
    for (let k = 1; k < way.length; ++k) {
      way[k - 1].below.push(way[k]);
      way[k].above.push(way[k - 1]);
    }
    return way;
  });
  const ranks = [];
  for (const node of all) (ranks[node.rank] ??= []).push(node);
  return {nodes, ways, ranks: ranks.filter((rank) => rank !== undefined)};
}

const mean = (nodes, of) => nodes.reduce((sum, node) => sum + of(node), 0) / nodes.length;

/** Fewer crossings: each rank sorted by the mean place of its neighbours, down and up, some times over
 *  (the barycentre method of Sugiyama, Tagawa and Toda, 1981). */
function sortRanks(ranks) {
  const number = () => ranks.forEach((rank) => rank.forEach((node, i) => { node.place = (i + 0.5) / rank.length; }));
  const sort = (rank, side) => {
    for (const node of rank) node.wish = node[side].length > 0 ? mean(node[side], (n) => n.place) : node.place;
    rank.sort((a, b) => a.wish - b.wish);
    rank.forEach((node, i) => { node.place = (i + 0.5) / rank.length; });
  };
  number();
  for (let round = 0; round < 6; ++round) {
    ranks.forEach((rank) => sort(rank, "above"));
    [...ranks].reverse().forEach((rank) => sort(rank, "below"));
  }
}

/** Puts every node near the mean of its neighbours, as far as those beside it allow; returns the width. */
function placeRanks(ranks) {
  const widthOf = (rank) => rank.reduce((sum, node) => sum + node.width + NODE.gapX, -NODE.gapX);
  const widest = Math.max(...ranks.map(widthOf));
  for (const rank of ranks) {
    let x = (widest - widthOf(rank)) / 2;
    for (const node of rank) {
      node.x = x + node.width / 2;
      x += node.width + NODE.gapX;
    }
  }
  const settle = (rank, side) => {
    const wishes = rank.map((node) => (node[side].length > 0 ? mean(node[side], (n) => n.x) : node.x));
    const need = (i) => (rank[i - 1].width + rank[i].width) / 2 + NODE.gapX;
    // From the left and from the right, as far as each must go; the middle of the two keeps all apart.
    const fromLeft = [...wishes];
    for (let i = 1; i < rank.length; ++i) fromLeft[i] = Math.max(wishes[i], fromLeft[i - 1] + need(i));
    const fromRight = [...wishes];
    for (let i = rank.length - 2; i >= 0; --i) fromRight[i] = Math.min(wishes[i], fromRight[i + 1] - need(i + 1));
    rank.forEach((node, i) => { node.x = (fromLeft[i] + fromRight[i]) / 2; });
  };
  for (let round = 0; round < 8; ++round) {
    ranks.forEach((rank) => settle(rank, "above"));
    [...ranks].reverse().forEach((rank) => settle(rank, "below"));
  }
  const all = ranks.flat();
  const left = Math.min(...all.map((node) => node.x - node.width / 2));
  for (const node of all) node.x -= left;
  return Math.max(...all.map((node) => node.x + node.width / 2));
}

function drawGraph(graph, colors, number) {
  const {nodes, ways, ranks} = rankedGraph(graph);
  sortRanks(ranks);
  const width = placeRanks(ranks);
  const canvas = element("div", {class: "canvas"});
  const holder = element("div", {class: "layers"}, canvas);
  canvas.style.width = width + "px";
  for (const node of nodes) {
    const tasks = node.layer.tasks > 0 ? tasksText(node.layer.tasks) : "in memory before the run";
    node.box = element("div", {class: "node"}, element("strong", {title: node.layer.title}, node.layer.title),
      element("span", {}, tasks), ...node.layer.outputs.map((output) => element("span", {}, output)));
    node.box.style.left = node.x - NODE.width / 2 + "px";
    const color = colors.get(node.layer.operation);
    if (color !== undefined) node.box.style.borderLeftColor = color;
    canvas.append(node.box);
  }
  // Heights are known once the boxes are in the document.
  const arrange = () => {
    let y = 0;
    for (const rank of ranks) {
      const height = Math.max(...rank.map((node) => (node.layer === null ? 0 : (node.height = node.box.offsetHeight))));
      for (const node of rank) {
        node.y = y;
        if (node.layer === null) node.height = height;
        else node.box.style.top = y + "px";
      }
      y += height + NODE.gapY;
    }
    canvas.style.height = y - NODE.gapY + "px";
    canvas.prepend(edgesOf(ways, `arrow-${number}`));
    holder.scrollLeft = (holder.scrollWidth - holder.clientWidth) / 2;
  };
  return {holder, arrange};
}

function edgesOf(ways, id) {
  const svg = svgElement("svg", {"aria-hidden": "true"});
  const marker = svgElement("marker", {id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto"});
  marker.append(svgElement("path", {d: "M0 0L8 4L0 8Z"}));
  const definitions = svgElement("defs");
  definitions.append(marker);
  svg.append(definitions);
  for (const way of ways) {
    let path = "";
    for (let k = 1; k < way.length; ++k) {
      const [from, to] = [way[k - 1], way[k]];
      const y = from.y + from.height;
      const half = (to.y - y) / 2;
      path += `${k === 1 ? `M${from.x} ${y}` : ""}C${from.x} ${y + half} ${to.x} ${to.y - half} ${to.x} ${to.y}`;
      if (to.layer === null) path += `L${to.x} ${to.y + to.height}`;
    }
    svg.append(svgElement("path", {d: path, "marker-end": `url(#${id})`}));
  }
  return svg;
}

function buildGraphs(graphs, colors) {
  const place = byId("graphs").querySelector("div");
  if (graphs.length === 0) place.append(emptyNote("No layer graph was given."));
  graphs.forEach((graph, number) => {
    const block = element("div", {class: "block figure"}, element("h3", {}, graph.title));
    place.append(block);
    if (graph.layers.length === 0) {
      block.append(element("p", {class: "faint"}, "This graph has no layers."));
      return;
    }
    const {holder, arrange} = drawGraph(graph, colors, number);
    block.append(holder);
    arrange();
  });
}

