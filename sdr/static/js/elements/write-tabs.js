// <write-tabs> around links with data-shows="reply" or "note": shows that part of the composer without leaving the page, and puts the cursor into it.
class WriteTabs extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", this.#press)
    this.#mark()
  }

  disconnectedCallback() {
    this.removeEventListener("click", this.#press)
  }

  get #parts() {
    return { reply: document.getElementById("composer-reply"), note: document.getElementById("composer-private") }
  }

  #press = (event) => {
    const tab = event.target.closest("[data-shows]")
    if (!tab || event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    this.show(tab.dataset.shows)
  }

  show(name) {
    for (const [one, part] of Object.entries(this.#parts)) part.hidden = one !== name
    for (const tab of this.querySelectorAll("[data-shows]")) {
      if (tab.dataset.shows === name) tab.setAttribute("aria-current", "true")
      else tab.removeAttribute("aria-current")
    }
    this.#mark()
    this.#parts[name].querySelector("textarea").focus()
  }

  // A dot where unsent words wait behind the other tab.
  #mark() {
    requestAnimationFrame(() => {
      for (const tab of this.querySelectorAll("[data-shows]")) {
        const part = this.#parts[tab.dataset.shows]
        tab.toggleAttribute("data-draft", Boolean(part?.hidden && part.querySelector("textarea").value.trim()))
      }
    })
  }
}

customElements.define("write-tabs", WriteTabs)
