// <notice-bell url="…">: asks for the bell anew when the stream says that there is news for this member; every minute without a stream.
import { live } from "lib/live"

const POLL_MS = 60_000

class NoticeBell extends HTMLElement {
  #timer

  connectedCallback() {
    live.addEventListener("notifications", this.#ask)
    this.#timer = setInterval(() => live.isOpen || this.#ask(), POLL_MS)
  }

  disconnectedCallback() {
    live.removeEventListener("notifications", this.#ask)
    clearInterval(this.#timer)
  }

  #ask = async () => {
    if (document.visibilityState !== "visible") return
    try {
      const answer = await fetch(this.getAttribute("url"), { headers: { "HX-Request": "true" }, redirect: "manual" })
      if (answer.status !== 200) return
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(this.id)
      const [old, next] = [this.querySelector("[role=status]"), fresh?.querySelector("[role=status]")]
      if (old && next && old.innerHTML !== next.innerHTML) old.innerHTML = next.innerHTML
    } catch {
      // no network: <connection-state> says so
    }
  }
}

customElements.define("notice-bell", NoticeBell)
