// Draws the diagrams of a page, and draws them again when the reader changes between light and dark.
// The text of each stays below its drawing, for whoever copies it, or hears the page rather than sees it.
const root = document.documentElement;

const drawings = [...document.querySelectorAll(".highlight-mermaid")].map((block) => {
  const drawing = document.createElement("div");
  drawing.className = "drawing";
  drawing.tabIndex = 0; // so that the arrow keys move it, too
  const text = document.createElement("details");
  text.append(Object.assign(document.createElement("summary"), { textContent: "The diagram as text" }));
  block.before(drawing, text);
  text.append(block);
  return { drawing, source: block.querySelector("pre").textContent };
});

async function draw() {
  mermaid.initialize({ startOnLoad: false, theme: root.dataset.theme === "dark" ? "dark" : "neutral" });
  for (const [number, { drawing, source }] of drawings.entries()) {
    drawing.innerHTML = (await mermaid.render(`drawing-${number}`, source)).svg;
    // As wide as the page, but never so small that its letters cannot be read. What reads downwards, begins in its middle.
    const svg = drawing.querySelector("svg");
    svg.style.minWidth = `${0.6 * Number.parseFloat(svg.style.maxWidth)}px`;
    const downwards = svg.clientHeight > svg.clientWidth;
    drawing.scrollLeft = downwards ? (drawing.scrollWidth - drawing.clientWidth) / 2 : 0;
  }
}

new MutationObserver(draw).observe(root, { attributeFilter: ["data-theme"] });
draw();
