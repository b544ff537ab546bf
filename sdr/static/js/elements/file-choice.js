// <file-choice> around an <input type=file> with its label: only the label is seen, as a button, and what was chosen is named and can be taken away.
// Holds [data-chosen] with [data-name] and [data-remove]. Without scripts the browser's own input is there.
class FileChoice extends HTMLElement {
  connectedCallback() {
    this.toggleAttribute("data-ready", true)
    this.addEventListener("change", this.#show)
    this.querySelector("[data-remove]").addEventListener("click", this.#clear)
    this.#show()
  }

  disconnectedCallback() {
    this.removeEventListener("change", this.#show)
    this.querySelector("[data-remove]")?.removeEventListener("click", this.#clear)
  }

  get #input() {
    return this.querySelector("input[type=file]")
  }

  #show = () => {
    const file = this.#input.files[0]
    this.querySelector("[data-chosen]").hidden = !file
    this.querySelector("[data-name]").textContent = file?.name ?? ""
  }

  #clear = () => {
    this.#input.value = ""
    this.#input.dispatchEvent(new Event("change", { bubbles: true }))
    this.#input.focus()
  }
}

customElements.define("file-choice", FileChoice)
