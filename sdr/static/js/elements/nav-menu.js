// <nav-menu> around a <details>: Esc and a click elsewhere close it, arrow keys walk through it.
class NavMenu extends HTMLElement {
  connectedCallback() {
    document.addEventListener("pointerdown", this.#closeOutside)
    this.addEventListener("keydown", this.#key)
    this.addEventListener("focusout", this.#closeLeft)
  }

  disconnectedCallback() {
    document.removeEventListener("pointerdown", this.#closeOutside)
    this.removeEventListener("keydown", this.#key)
    this.removeEventListener("focusout", this.#closeLeft)
  }

  get #details() {
    return this.querySelector("details")
  }

  get #stops() {
    return [...this.querySelectorAll("summary, a[href], button:not([disabled])")]
  }

  #closeOutside = (event) => {
    if (!this.contains(event.target)) this.#details.open = false
  }

  #closeLeft = (event) => {
    if (event.relatedTarget && !this.contains(event.relatedTarget)) this.#details.open = false
  }

  #key = (event) => {
    if (event.key === "Escape" && this.#details.open) {
      this.#details.open = false
      this.querySelector("summary").focus()
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault()
      this.#details.open = true
      this.#step(event.key === "ArrowDown" ? 1 : -1)
    }
  }

  #step(by) {
    const stops = this.#stops
    const at = stops.indexOf(document.activeElement)
    stops[(at + by + stops.length) % stops.length].focus()
  }
}

customElements.define("nav-menu", NavMenu)
