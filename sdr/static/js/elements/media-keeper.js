// <media-keeper> around a list that htmx replaces, with players that are preserved: they go on playing, but Chromium forgets to draw their controls.
class MediaKeeper extends HTMLElement {
  connectedCallback() {
    this.addEventListener("htmx:afterSettle", this.#redraw)
  }

  disconnectedCallback() {
    this.removeEventListener("htmx:afterSettle", this.#redraw)
  }

  #redraw = () => {
    for (const player of this.querySelectorAll("audio[hx-preserve], video[hx-preserve]")) {
      player.controls = false
      player.controls = true
    }
  }
}

customElements.define("media-keeper", MediaKeeper)
