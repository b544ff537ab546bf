// <file-choice> around an <input type=file> and a [data-remove] button: what was chosen can be taken away again.
class FileChoice extends HTMLElement {
  connectedCallback() {
    this.addEventListener("change", this.#show)
    this.#remove?.addEventListener("click", this.#clear)
    this.#show()
  }

  disconnectedCallback() {
    this.removeEventListener("change", this.#show)
    this.#remove?.removeEventListener("click", this.#clear)
  }

  get #input() {
    return this.querySelector("input[type=file]")
  }

  get #remove() {
    return this.querySelector("[data-remove]")
  }

  #show = () => {
    if (this.#remove) this.#remove.hidden = !this.#input?.files.length
  }

  #clear = () => {
    this.#input.value = ""
    this.#input.dispatchEvent(new Event("change", { bubbles: true }))
    this.#input.focus()
  }
}

customElements.define("file-choice", FileChoice)
