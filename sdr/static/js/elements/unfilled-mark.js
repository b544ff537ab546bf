// <unfilled-mark data-words="…"> in a form: says which {{variables}} of its text still wait for somebody to write them. The server refuses to send them.
import { UNFILLED } from "lib/typing"

class UnfilledMark extends HTMLElement {
  connectedCallback() {
    this.#form.addEventListener("input", this.#tell)
    this.#form.addEventListener("draft:restored", this.#tell)
    this.#tell()
  }

  disconnectedCallback() {
    this.#form?.removeEventListener("input", this.#tell)
  }

  get #form() { return this.closest("form") }

  #tell = () => {
    const found = this.#form.querySelector("textarea").value.match(UNFILLED) ?? []
    this.hidden = !found.length
    const words = found.length ? `${this.dataset.words} ${[...new Set(found)].join(", ")}` : ""
    if (this.textContent !== words) this.textContent = words
  }
}

customElements.define("unfilled-mark", UnfilledMark)
