// <play-speed for="id of a player" hidden> around a button: plays faster at each press, 1×, 1.5×, 2× and again; remembered for the next player.
const SPEEDS = [1, 1.5, 2]

class PlaySpeed extends HTMLElement {
  connectedCallback() {
    this.hidden = !this.#player
    this.addEventListener("click", this.#next)
    this.#set(this.#kept)
  }

  disconnectedCallback() {
    this.removeEventListener("click", this.#next)
  }

  get #player() { return document.getElementById(this.getAttribute("for")) }

  get #kept() {
    try {
      const kept = Number(localStorage.getItem("speed"))
      return SPEEDS.includes(kept) ? kept : 1
    } catch {
      return 1
    }
  }

  #next = () => {
    const now = this.#player?.playbackRate ?? 1
    const speed = SPEEDS[(SPEEDS.indexOf(now) + 1) % SPEEDS.length]
    try {
      localStorage.setItem("speed", speed)
    } catch {}
    this.#set(speed)
  }

  #set(speed) {
    const player = this.#player
    if (!player) return
    player.defaultPlaybackRate = player.playbackRate = speed // loading a file goes back to the default
    this.querySelector("[data-speed]").textContent = `${speed.toLocaleString(document.documentElement.lang)}×`
  }
}

customElements.define("play-speed", PlaySpeed)
