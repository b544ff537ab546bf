// <file-choice> around an <input type=file> with its label: only the label is seen, as a button, and what was chosen is named and can be taken away.
// Holds [data-chosen] with [data-name], [data-picture] and [data-remove]. A file that is pasted into the form's text is chosen, too. Without scripts the browser's own input is there.
class FileChoice extends HTMLElement {
  #form
  #url = ""

  connectedCallback() {
    this.toggleAttribute("data-ready", true)
    this.addEventListener("change", this.#show)
    this.querySelector("[data-remove]").addEventListener("click", this.#clear)
    this.#form = this.closest("form")
    this.#form?.addEventListener("paste", this.#paste)
    this.#show()
  }

  disconnectedCallback() {
    this.removeEventListener("change", this.#show)
    this.querySelector("[data-remove]")?.removeEventListener("click", this.#clear)
    this.#form?.removeEventListener("paste", this.#paste)
    URL.revokeObjectURL(this.#url)
  }

  get #input() {
    return this.querySelector("input[type=file]")
  }

  #show = () => {
    const file = this.#input.files[0]
    this.querySelector("[data-chosen]").hidden = !file
    this.querySelector("[data-name]").textContent = file?.name ?? ""
    this.#look(file)
  }

  // A picture is seen before it is sent.
  #look(file) {
    const picture = this.querySelector("[data-picture]")
    URL.revokeObjectURL(this.#url)
    this.#url = file && /^image\/(png|jpeg|webp|gif)$/.test(file.type) ? URL.createObjectURL(file) : ""
    picture.hidden = !this.#url
    if (this.#url) picture.src = this.#url
    else picture.removeAttribute("src")
  }

  #paste = (event) => {
    if (!event.clipboardData?.files.length || event.clipboardData.types.includes("text/plain")) return
    event.preventDefault()
    this.#input.files = event.clipboardData.files
    this.#input.dispatchEvent(new Event("change", { bubbles: true }))
  }

  #clear = () => {
    this.#input.value = ""
    this.#input.dispatchEvent(new Event("change", { bubbles: true }))
    this.#input.focus()
  }
}

customElements.define("file-choice", FileChoice)
