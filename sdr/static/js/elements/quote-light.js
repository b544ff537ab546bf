// <quote-light> around links with data-message="id": pressing one lights its words up in that message, if it is on the page.
class QuoteLight extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", this.#light)
  }

  disconnectedCallback() {
    this.removeEventListener("click", this.#light)
  }

  #light = (event) => {
    const link = event.target.closest("a[data-message]")
    const message = link && document.getElementById(link.dataset.message)
    if (!message || event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    for (const lit of document.querySelectorAll(".bubble.is-lit")) lit.classList.remove("is-lit")
    message.classList.add("is-lit")
    message.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" })
    message.tabIndex = -1
    message.focus({ preventScroll: true })
    this.#mark(message, link.textContent.trim().replace(/^“|…?”$/g, ""))
  }

  #mark(message, words) {
    if (!globalThis.CSS?.highlights) return
    CSS.highlights.delete("receipt")
    const walker = document.createTreeWalker(message, NodeFilter.SHOW_TEXT)
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const start = node.data.indexOf(words)
      if (start < 0) continue
      const range = new Range()
      range.setStart(node, start)
      range.setEnd(node, start + words.length)
      CSS.highlights.set("receipt", new Highlight(range))
      return
    }
  }
}

customElements.define("quote-light", QuoteLight)
