// <copy-button data-text="…" data-done="Copied"> or <copy-button for="id" …> around a <button>: copies, and says so for two seconds.
const SHOWN_MS = 2000

class CopyButton extends HTMLElement {
  #timer

  connectedCallback() {
    this.hidden = !navigator.clipboard
    this.addEventListener("click", this.#copy)
  }

  disconnectedCallback() {
    this.removeEventListener("click", this.#copy)
    clearTimeout(this.#timer)
  }

  #copy = async () => {
    try {
      await navigator.clipboard.writeText(this.#text)
    } catch {
      this.#source?.select?.()
      return
    }
    this.#confirm()
  }

  get #source() {
    return document.getElementById(this.getAttribute("for"))
  }

  get #text() {
    return this.dataset.text ?? this.#source?.value ?? this.#source?.textContent.trim() ?? ""
  }

  #confirm() {
    const label = this.querySelector("[data-label]")
    if (!label || this.#timer) return
    const before = label.textContent
    label.setAttribute("role", "status")
    label.textContent = this.dataset.done
    this.#timer = setTimeout(() => {
      label.textContent = before
      this.#timer = undefined
    }, SHOWN_MS)
  }
}

customElements.define("copy-button", CopyButton)
