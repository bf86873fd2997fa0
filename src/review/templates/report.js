
"use strict";
for (const box of document.querySelectorAll(".verdicts")) {
  const form = box.querySelector(".controls");
  const text = form.querySelector("input[type=search]");
  const checks = [...form.querySelectorAll("input[type=checkbox]")];
  const count = form.querySelector(".count");
  const body = box.querySelector("tbody");
  const rows = [...body.rows];

  const filter = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdicts = new Set(checks.filter((c) => c.checked).map((c) => c.value));
    let shown = 0;
    for (const row of rows) {
      const content = row.textContent.toLowerCase();
      row.hidden = !verdicts.has(row.dataset.verdict) || !words.every((w) => content.includes(w));
      if (!row.hidden) shown += 1;
    }
    count.textContent = `${shown} of ${rows.length} actions`;
  };

  const key = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent;
  const sort = (head) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const numeric = head.dataset.sort === "number";
    const compare = (a, b) => {
      const [x, y] = [key(a, head.cellIndex), key(b, head.cellIndex)];
      return (numeric ? x - y : x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
    };
    body.append(...[...rows].sort(compare));
  };

  for (const head of box.querySelectorAll("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(head));
    head.append(button);
  }
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
}
addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
});
