// <typing-hold url="…"> around a <textarea>: while somebody types, the server is told, so that the AI waits and the others see it; also when all is deleted.
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
    const isOver = !event.target.value.trim()
    if (!token || (isOver ? this.#told < 0 : now - this.#told < EVERY_MS)) return
    this.#told = isOver ? -EVERY_MS : now
    try {
      const body = new URLSearchParams(isOver ? { over: "1" } : {})
      await fetch(this.getAttribute("url"), { method: "POST", headers: { "X-CSRFToken": token }, body })
    } catch {
      this.#told = -EVERY_MS // the next key tries again
    }
  }
}

customElements.define("typing-hold", TypingHold)
