// <submit-once> around a form: its button is busy while the answer is on its way, so that a second tap sends nothing twice.
class SubmitOnce extends HTMLElement {
  connectedCallback() {
    this.addEventListener("submit", this.#mark)
    this.addEventListener("htmx:afterRequest", this.#clear)
    window.addEventListener("pageshow", this.#clear)
  }

  disconnectedCallback() {
    this.removeEventListener("submit", this.#mark)
    this.removeEventListener("htmx:afterRequest", this.#clear)
    window.removeEventListener("pageshow", this.#clear)
  }

  #mark = (event) => {
    const busy = event.target.querySelector("[aria-busy=true]")
    if (busy) event.preventDefault()
    else event.submitter?.setAttribute("aria-busy", "true")
  }

  // Back in the browser restores the page as it was left: the button must work again.
  #clear = () => this.querySelectorAll("[aria-busy=true]").forEach((button) => button.removeAttribute("aria-busy"))
}

customElements.define("submit-once", SubmitOnce)
