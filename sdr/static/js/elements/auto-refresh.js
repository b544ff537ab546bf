// <auto-refresh data-seconds="3"> around an element with hx-trigger="refresh": asks anew while the page is looked at, and at once on coming back to it.
// A request whose answer came from another address (sign-in, when the session has ended) is not swapped in: what is typed stays.
const DEFAULT_SECONDS = 3

class AutoRefresh extends HTMLElement {
  #timer

  connectedCallback() {
    this.#timer = setInterval(this.#ask, (Number(this.dataset.seconds) || DEFAULT_SECONDS) * 1000)
    document.addEventListener("visibilitychange", this.#ask)
    document.addEventListener("htmx:beforeSwap", this.#guard)
  }

  disconnectedCallback() {
    clearInterval(this.#timer)
    document.removeEventListener("visibilitychange", this.#ask)
    document.removeEventListener("htmx:beforeSwap", this.#guard)
  }

  #ask = () => {
    if (document.visibilityState !== "visible") return
    const target = this.querySelector("[hx-trigger=refresh]")
    if (target && !target.classList.contains("htmx-request")) target.dispatchEvent(new CustomEvent("refresh"))
  }

  #guard = (event) => {
    const { xhr, requestConfig } = event.detail
    if (!xhr.responseURL || !requestConfig) return
    const asked = new URL(requestConfig.path, location.href)
    if (new URL(xhr.responseURL).pathname === asked.pathname) return
    event.detail.shouldSwap = false
    document.dispatchEvent(new CustomEvent("htmx:responseError"))
  }
}

customElements.define("auto-refresh", AutoRefresh)
