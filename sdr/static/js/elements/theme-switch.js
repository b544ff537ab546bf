// <theme-switch> around buttons with data-theme-choice="light|dark|system": remembers the choice in this browser. The script in _head.html applies it before paint.
const KEY = "theme"

class ThemeSwitch extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", this.#choose)
    this.#mark(localStorage.getItem(KEY) ?? "system")
  }

  disconnectedCallback() {
    this.removeEventListener("click", this.#choose)
  }

  #choose = (event) => {
    const choice = event.target.closest("[data-theme-choice]")?.dataset.themeChoice
    if (!choice) return
    if (choice === "system") {
      localStorage.removeItem(KEY)
      delete document.documentElement.dataset.theme
    } else {
      localStorage.setItem(KEY, choice)
      document.documentElement.dataset.theme = choice
    }
    this.#mark(choice)
  }

  #mark(choice) {
    this.querySelectorAll("[data-theme-choice]").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice))
    })
  }
}

customElements.define("theme-switch", ThemeSwitch)
