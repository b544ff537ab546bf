// <auto-refresh data-seconds="3"> around an element with hx-trigger="refresh": asks anew while the page is looked at, and at once on coming back to it.
// With data-live="conversation" the stream says when; the clock then only makes sure.
// Nothing is taken from under the pointer: what stands beside the element and has an open menu is left as it is, and asked for again when the menu is closed.
// A request whose answer came from another address (sign-in, when the session has ended) is not swapped in: what is typed stays.
import { live } from "lib/live"

const DEFAULT_SECONDS = 3
const CALM_SECONDS = 30 // while the stream is open

class AutoRefresh extends HTMLElement {
  #timer
  #left // the menu because of which something was left as it was

  connectedCallback() {
    this.#pace()
    if (this.dataset.live) {
      live.addEventListener(this.dataset.live, this.#ask)
      live.addEventListener("state", this.#pace)
    }
    document.addEventListener("visibilitychange", this.#ask)
    document.addEventListener("htmx:beforeSwap", this.#guard)
    document.addEventListener("htmx:oobBeforeSwap", this.#leave)
    document.addEventListener("htmx:beforeRequest", this.#pressed)
    document.addEventListener("toggle", this.#closed, true)
  }

  disconnectedCallback() {
    clearInterval(this.#timer)
    live.removeEventListener(this.dataset.live ?? "", this.#ask)
    live.removeEventListener("state", this.#pace)
    document.removeEventListener("visibilitychange", this.#ask)
    document.removeEventListener("htmx:beforeSwap", this.#guard)
    document.removeEventListener("htmx:oobBeforeSwap", this.#leave)
    document.removeEventListener("htmx:beforeRequest", this.#pressed)
    document.removeEventListener("toggle", this.#closed, true)
  }

  #pace = () => {
    clearInterval(this.#timer)
    const seconds = this.dataset.live && live.isOpen ? CALM_SECONDS : Number(this.dataset.seconds) || DEFAULT_SECONDS
    this.#timer = setInterval(this.#ask, seconds * 1000)
  }

  #ask = () => {
    if (document.visibilityState !== "visible") return
    const target = this.querySelector("[hx-trigger=refresh]")
    if (target && !target.classList.contains("htmx-request")) target.dispatchEvent(new CustomEvent("refresh"))
  }

  #leave = (event) => {
    const menu = event.detail.target?.querySelector?.("details[open]")
    if (!menu) return
    event.detail.shouldSwap = false
    this.#left = menu
  }

  // Who presses something in a menu has done with it.
  #pressed = (event) => {
    const menu = event.detail.elt.closest?.(".thread__top details[open]")
    if (menu) menu.open = false
  }

  #closed = (event) => {
    if (event.target !== this.#left || event.target.open) return
    this.#left = undefined
    const target = this.querySelector("[hx-trigger=refresh]")
    if (target) window.htmx?.ajax("GET", target.getAttribute("hx-get").replace(/seen=[^&]*/, "seen="), { source: target, target, swap: "outerHTML" })
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
