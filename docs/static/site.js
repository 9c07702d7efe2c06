// What scrolls by itself can be reached by the keyboard.
addEventListener("load", () => {
  for (const part of document.querySelectorAll(".bd-article :is(table, .formula, pre)")) {
    if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
  }
});
