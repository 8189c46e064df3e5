// What the theme leaves to the eye, for those who use the book by keyboard or hear it.
document.addEventListener("DOMContentLoaded", () => {
  // The theme's dialogs have no names.
  const names = { "search-dialog": "Search", "primary-sidebar-modal": "Pages", "secondary-sidebar-modal": "Contents" };
  for (const [id, name] of Object.entries(names))
    document.getElementById(`pst-${id}`)?.setAttribute("aria-label", name);

  // Whether the side bar is there, said by the button that hides it. On a narrow page it opens as a dialog.
  const toggle = document.querySelector(".primary-toggle"), sidebar = document.getElementById("pst-primary-sidebar");
  if (toggle && sidebar) {
    const wide = window.matchMedia("(min-width: 992px)"), { classList } = sidebar;
    const tell = () =>
      toggle.setAttribute("aria-expanded", wide.matches && !classList.contains("pst-sidebar-hidden"));
    wide.addEventListener("change", tell);
    new MutationObserver(tell).observe(sidebar, { attributeFilter: ["class"] });
    tell();
  }

  // A table that is wider than the page scrolls. The Tab key stops there, so that the arrow keys can move it.
  const reach = () => {
    for (const table of document.querySelectorAll("article.bd-article table.table"))
      if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
      else table.removeAttribute("tabindex");
  };
  for (const moment of ["load", "resize"]) window.addEventListener(moment, reach);
  reach();

  // That a cell was copied shows beside its button only.
  const status = Object.assign(document.createElement("p"), { className: "visually-hidden" });
  status.setAttribute("role", "status");
  document.querySelector("main")?.append(status);
  new MutationObserver((changes) => {
    const button = changes.map((each) => each.target).find((each) => each.matches(".copybtn"));
    if (button) status.textContent = button.classList.contains("success") ? button.dataset.tooltip : "";
  }).observe(document.body, { subtree: true, attributeFilter: ["data-tooltip", "class"] });
});

// The theme takes the focus from a button that is clicked. Who pressed Enter on it would lose their place.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) button.blur = event.detail === 0 ? () => {} : HTMLElement.prototype.blur;
}, true);
