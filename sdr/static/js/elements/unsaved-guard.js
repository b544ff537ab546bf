// <unsaved-guard data-word data-question> around a form: says when something is not saved yet, and asks before it would be lost.
class UnsavedGuard extends HTMLElement {
  #saved = ""

  connectedCallback() {
    this.#saved = "changed" in this.dataset ? "" : this.#typed
    this.addEventListener("input", this.#look)
    this.addEventListener("change", this.#look)
    this.addEventListener("submit", this.#submit)
    document.addEventListener("click", this.#leave)
    window.addEventListener("beforeunload", this.#unload)
    this.#look()
  }

  disconnectedCallback() {
    document.removeEventListener("click", this.#leave)
    window.removeEventListener("beforeunload", this.#unload)
  }

  get #typed() {
    const fields = new FormData(this.querySelector("form"))
    fields.delete("csrfmiddlewaretoken")
    return new URLSearchParams(fields).toString()
  }

  get #isChanged() {
    return !this.hasAttribute("data-sent") && this.#saved !== this.#typed
  }

  #look = () => {
    const state = this.querySelector("[data-state]")
    if (!state) return
    state.dataset.saved ??= state.textContent
    const word = this.#isChanged ? this.dataset.word : state.dataset.saved
    if (state.textContent !== word) state.textContent = word
    state.toggleAttribute("data-changed", this.#isChanged)
  }

  #submit = () => this.setAttribute("data-sent", "")

  // A link of ours is asked in words; what the browser itself leaves by, it asks about.
  #leave = (event) => {
    const link = event.target.closest?.("a[href]")
    if (!link || event.defaultPrevented || event.metaKey || event.ctrlKey || link.target || link.getAttribute("href").startsWith("#")) return
    if (!this.#isChanged) return
    if (confirm(this.dataset.question)) this.#submit()
    else event.preventDefault()
  }

  #unload = (event) => {
    if (this.#isChanged) event.preventDefault()
  }
}

customElements.define("unsaved-guard", UnsavedGuard)
