// <insert-text for="form id" data-text="…" hidden> around a button: writes the text at the end of what that form's textarea holds. Without scripts it is not there.
class InsertText extends HTMLElement {
  connectedCallback() {
    this.hidden = !this.#field
    this.addEventListener("click", this.#insert)
  }

  disconnectedCallback() {
    this.removeEventListener("click", this.#insert)
  }

  get #field() { return document.querySelector(`#${this.getAttribute("for")} textarea`) }

  #insert = () => {
    const field = this.#field
    if (!field) return
    const before = field.value.trimEnd()
    const text = this.dataset.text
    if (!before.endsWith(text)) field.value = before ? `${before}\n${text}` : text
    if (innerWidth < 1280) document.documentElement.dataset.panel = "closed" // there it lies over the composer
    document.querySelector('[data-shows="reply"]')?.click()
    field.focus()
    field.setSelectionRange(field.value.length, field.value.length)
    field.dispatchEvent(new Event("input", { bubbles: true }))
  }
}

customElements.define("insert-text", InsertText)
