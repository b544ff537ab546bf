// <panel-toggle> around a link to the lead's panel, or away from it: shows it or puts it away, as Alt+O does. Without scripts the link does.
class PanelToggle extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", this.#toggle)
  }

  disconnectedCallback() {
    this.removeEventListener("click", this.#toggle)
  }

  #toggle = (event) => {
    event.preventDefault()
    const panel = document.getElementById("desk-panel")
    if (!panel) return
    const shown = getComputedStyle(panel).display !== "none"
    document.documentElement.dataset.panel = shown ? "closed" : "open"
    if (!shown) panel.querySelector("button, a[href], summary")?.focus()
    else document.getElementById("panel-toggle")?.focus()
  }
}

customElements.define("panel-toggle", PanelToggle)
