// <live-stream url="/live/…">: keeps the page's stream of news open while the page is looked at; a page nobody sees lets go after a while.
import { live } from "lib/live"

const HIDDEN_MS = 30_000
const RETRY_MS = 10_000 // after the server has refused for good: signed out, too many streams

class LiveStream extends HTMLElement {
  #hidden
  #retry

  connectedCallback() {
    document.addEventListener("visibilitychange", this.#look)
    document.addEventListener("htmx:afterSettle", this.#watch)
    this.#retry = setInterval(this.#watch, RETRY_MS)
    this.#watch()
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.#look)
    document.removeEventListener("htmx:afterSettle", this.#watch)
    clearInterval(this.#retry)
    clearTimeout(this.#hidden)
    live.stop()
  }

  #look = () => {
    clearTimeout(this.#hidden)
    if (document.visibilityState === "visible") this.#watch()
    else this.#hidden = setTimeout(() => live.stop(), HIDDEN_MS)
  }

  #watch = () => {
    if (document.visibilityState !== "visible") return
    live.watch(this.getAttribute("url"), document.getElementById("desk-thread")?.dataset.conversation ?? "")
  }
}

customElements.define("live-stream", LiveStream)
