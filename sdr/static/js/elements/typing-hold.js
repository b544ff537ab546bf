// <typing-hold url="…"> around a <textarea>: while somebody types, the server is told, so that the AI waits.
const EVERY_MS = 8000 // the server holds for 20 s

class TypingHold extends HTMLElement {
  #told = -EVERY_MS

  connectedCallback() {
    this.addEventListener("input", this.#tell)
  }

  disconnectedCallback() {
    this.removeEventListener("input", this.#tell)
  }

  #tell = async (event) => {
    const token = event.target.form?.elements.csrfmiddlewaretoken?.value
    const now = performance.now()
    if (!token || now - this.#told < EVERY_MS) return
    this.#told = now
    try {
      await fetch(this.getAttribute("url"), { method: "POST", headers: { "X-CSRFToken": token } })
    } catch {
      this.#told = -EVERY_MS // the next key tries again
    }
  }
}

customElements.define("typing-hold", TypingHold)
