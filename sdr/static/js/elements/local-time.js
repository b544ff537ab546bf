// <local-time data-style="datetime|date|clock|relative|left"> around <time datetime>: the reader's time zone and language.
const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const RELATIVE_UNTIL = 7 * DAY
const REFRESH_MS = 60_000

class LocalTime extends HTMLElement {
  #timer

  connectedCallback() {
    const moment = new Date(this.#time?.dateTime ?? "")
    if (Number.isNaN(moment.getTime())) return
    this.#show(moment)
    if (this.dataset.style === "left") this.#timer = setInterval(() => this.#show(moment), 1000)
    if (this.dataset.style === "relative") this.#timer = setInterval(() => this.#show(moment), REFRESH_MS)
  }

  disconnectedCallback() {
    clearInterval(this.#timer)
  }

  get #time() {
    return this.querySelector("time")
  }

  #show(moment) {
    const language = document.documentElement.lang || undefined
    const full = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" }).format(moment)
    this.#time.title = full
    this.#time.textContent = this.#text(moment, language)
  }

  #text(moment, language) {
    if (this.dataset.style === "date") return new Intl.DateTimeFormat(language, { dateStyle: "medium" }).format(moment)
    if (this.dataset.style === "clock") return new Intl.DateTimeFormat(language, { timeStyle: "short" }).format(moment)
    const seconds = (moment.getTime() - Date.now()) / 1000
    if (this.dataset.style === "left" && seconds < HOUR) return left(Math.max(0, Math.ceil(seconds)), language)
    if (this.dataset.style === "relative" && Math.abs(seconds) < RELATIVE_UNTIL) return relative(seconds, language)
    return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(moment)
  }
}

function relative(seconds, language) {
  const words = new Intl.RelativeTimeFormat(language, { numeric: "auto" })
  const distance = Math.abs(seconds)
  if (distance < MINUTE) return words.format(0, "second")
  if (distance < HOUR) return words.format(Math.trunc(seconds / MINUTE), "minute")
  if (distance < DAY) return words.format(Math.trunc(seconds / HOUR), "hour")
  return words.format(Math.trunc(seconds / DAY), "day")
}

function left(seconds, language) {
  const words = new Intl.RelativeTimeFormat(language, { numeric: "always" })
  return seconds < 2 * MINUTE ? words.format(seconds, "second") : words.format(Math.ceil(seconds / MINUTE), "minute")
}

customElements.define("local-time", LocalTime)
