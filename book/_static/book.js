// What the theme leaves to the eye, for those who use the book by keyboard or hear it.
document.addEventListener("DOMContentLoaded", () => {
  // The theme's dialogs have no names.
  const names = { "pst-search-dialog": "Search", "pst-primary-sidebar-modal": "Pages", "pst-secondary-sidebar-modal": "Contents" };
  for (const [id, name] of Object.entries(names)) document.getElementById(id)?.setAttribute("aria-label", name);

  // Whether the side bar is there, said by the button that hides it. On a narrow page it opens as a dialog.
  const toggle = document.querySelector(".primary-toggle"), sidebar = document.getElementById("pst-primary-sidebar");
  const wide = window.matchMedia("(min-width: 992px)");
  const tell = () => toggle?.setAttribute("aria-expanded", wide.matches && !sidebar.classList.contains("pst-sidebar-hidden"));
  wide.addEventListener("change", tell);
  if (sidebar) new MutationObserver(tell).observe(sidebar, { attributeFilter: ["class"] });
  tell();

  // That a cell was copied shows beside its button only.
  const status = Object.assign(document.createElement("p"), { className: "visually-hidden" });
  status.setAttribute("role", "status");
  document.querySelector("main")?.append(status);
  new MutationObserver((changes) => {
    const button = changes.map((each) => each.target).find((each) => each.matches(".copybtn"));
    if (button) status.textContent = button.classList.contains("success") ? button.dataset.tooltip : "";
  }).observe(document.body, { subtree: true, attributeFilter: ["data-tooltip", "class"] });
});

// The theme takes the focus from its buttons when they are clicked, those that press Enter included: they lost their place.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) button.blur = event.detail === 0 ? () => {} : HTMLElement.prototype.blur;
}, true);
