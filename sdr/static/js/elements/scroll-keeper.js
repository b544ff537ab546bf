// <scroll-keeper> around a list that grows at its end: stays at the end while the reader is there, and leaves who reads further up alone.
const NEAR_PX = 80

class ScrollKeeper extends HTMLElement {
  #isAtEnd = true
  #observer = new MutationObserver(() => this.#keep())

  connectedCallback() {
    this.#observer.observe(this, { childList: true, subtree: true })
    this.addEventListener("scroll", this.#note, { passive: true })
    this.#keep()
  }

  disconnectedCallback() {
    this.#observer.disconnect()
    this.removeEventListener("scroll", this.#note)
  }

  #note = () => {
    this.#isAtEnd = this.scrollHeight - this.scrollTop - this.clientHeight < NEAR_PX
  }

  #keep() {
    if (this.#isAtEnd) this.scrollTop = this.scrollHeight
  }
}

customElements.define("scroll-keeper", ScrollKeeper)
