"use strict";
// Copies cells of tables that stand on the page; computes nothing.
(() => {
  for (const box of document.querySelectorAll("[data-slider]")) {
    const choose = (name) => box.querySelector(`[data-choose="${name}"]`);
    const target = choose("target"), posts = choose("posts"), range = choose("row");
    const tables = [...box.querySelectorAll("table[data-target]")];
    let table, rows;
    const find = () => tables.find((one) => one.dataset.target === target.value && one.dataset.posts === posts.value);
    const offer = () => {
      const before = posts.selectedIndex;
      posts.replaceChildren(...tables.filter((one) => one.dataset.target === target.value)
        .map((one) => new Option(one.dataset.posts)));
      posts.selectedIndex = Math.max(0, Math.min(before, posts.length - 1));
    };
    const show = () => {
      const row = rows[Number(range.value)];
      const start = table.dataset.point === "yes" && range.value === table.dataset.start;
      for (const out of box.querySelectorAll("[data-show]")) {
        const cell = row.cells[Number(out.dataset.show)];
        out.replaceChildren(...[...cell.cloneNode(true).childNodes]);
      }
      range.setAttribute("aria-valuetext", `threshold ${row.cells[0].textContent.trim()}`);
      box.querySelector("[data-promised]").hidden = !start;
      box.querySelector("[data-not-promised]").hidden = start;
    };
    const load = (keep) => {
      table = find();
      rows = table.tBodies[0].rows;
      range.max = String(rows.length - 1);
      if (!keep) range.value = table.dataset.start;
      show();
    };
    target.addEventListener("change", () => { offer(); load(false); });
    posts.addEventListener("change", () => load(true));
    range.addEventListener("input", show);
    offer();
    load(false);
    box.querySelector("[data-controls]").hidden = false;
  }
  const closed = [];
  window.addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details:not(.behind):not([open])")) { one.open = true; closed.push(one); }
  });
  window.addEventListener("afterprint", () => { for (const one of closed.splice(0)) one.open = false; });
})();
