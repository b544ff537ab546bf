// <typing-others>: somebody else writes. Nobody tells when they stop: while it is shown, the thread is asked again from time to time.
const EVERY_MS = 10_000

class TypingOthers extends HTMLElement {
  #timer

  connectedCallback() {
    this.#timer = setInterval(() => document.querySelector("[hx-trigger=refresh]")?.dispatchEvent(new CustomEvent("refresh")), EVERY_MS)
  }

  disconnectedCallback() {
    clearInterval(this.#timer)
  }
}

customElements.define("typing-others", TypingOthers)
