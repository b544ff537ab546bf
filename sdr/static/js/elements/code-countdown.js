// <code-countdown data-until="epoch seconds" data-seconds="45" data-text="… {seconds} s." data-over="…"> around a ring and [data-label]: how long a code is still good.
// The server's clock may differ from the reader's: what is left never exceeds the whole time. Not announced, or a screen reader would speak each second.
const SECOND = 1000

class CodeCountdown extends HTMLElement {
  #timer

  connectedCallback() {
    this.#show()
    this.#timer = setInterval(this.#show, SECOND)
  }

  disconnectedCallback() {
    clearInterval(this.#timer)
  }

  #show = () => {
    const whole = Number(this.dataset.seconds) || 1
    const left = Math.min(whole, Math.max(0, Math.round(Number(this.dataset.until) - Date.now() / SECOND)))
    this.querySelector(".ring__left")?.style.setProperty("--left", (100 * left) / whole)
    const label = this.querySelector("[data-label]")
    if (label) label.textContent = left ? this.dataset.text.replace("{seconds}", left) : this.dataset.over
  }
}

customElements.define("code-countdown", CodeCountdown)
