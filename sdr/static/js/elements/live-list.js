// <live-list> around #inbox: asks anew when the stream says so, else every 15 s. While a row is pointed at, has the focus or is selected, nothing moves: rows change in place, and "3 new" waits for a press.
import { live } from "lib/live"

const POLL_MS = 15_000
const CALM_MS = 30_000 // while the stream is open: in case somebody died between a commit and its bell
const LEAST_MS = 250
const SEARCH_MS = 250

class LiveList extends HTMLElement {
  #timer
  #soon
  #typing
  #asked = 0
  #took = 0
  #search

  connectedCallback() {
    this.#search = document.getElementById("inbox-search")
    this.#search?.addEventListener("input", this.#typed)
    this.addEventListener("click", this.#press)
    this.addEventListener("pointerleave", this.#settle)
    this.addEventListener("focusout", this.#settle)
    this.addEventListener("keydown", this.#arrow)
    live.addEventListener("inbox", this.#changed)
    live.addEventListener("state", this.#pace)
    document.addEventListener("visibilitychange", this.#changed)
    document.addEventListener("htmx:afterSettle", this.#mark)
    this.#pace()
  }

  disconnectedCallback() {
    clearInterval(this.#timer)
    clearTimeout(this.#soon)
    clearTimeout(this.#typing)
    this.#search?.removeEventListener("input", this.#typed)
    live.removeEventListener("inbox", this.#changed)
    live.removeEventListener("state", this.#pace)
    document.removeEventListener("visibilitychange", this.#changed)
    document.removeEventListener("htmx:afterSettle", this.#mark)
  }

  get #list() {
    return document.getElementById("inbox")
  }

  get #isHeld() {
    const rows = this.querySelector("#inbox-rows")
    return Boolean(rows && (rows.matches(":hover") || rows.contains(document.activeElement) || rows.querySelector(":checked")))
  }

  #pace = () => {
    clearInterval(this.#timer)
    this.#timer = setInterval(this.#changed, live.isOpen ? CALM_MS : POLL_MS)
  }

  // At most four times a second, and never busier than the server lets us be.
  #changed = () => {
    if (document.visibilityState !== "visible" || this.#soon) return
    const wait = Math.max(0, this.#asked + Math.max(LEAST_MS, 3 * this.#took) - performance.now())
    this.#soon = setTimeout(() => this.#ask(), wait)
  }

  async #ask() {
    const started = performance.now()
    try {
      const answer = await fetch(this.#list.dataset.refresh, { headers: { "HX-Request": "true" }, redirect: "manual" })
      if (answer.status !== 200) return
      this.#apply(new DOMParser().parseFromString(await answer.text(), "text/html"))
    } catch {
      // no network: <connection-state> says so, and the next round asks again
    } finally {
      this.#asked = performance.now()
      this.#took = this.#asked - started
      this.#soon = undefined
    }
  }

  #apply(fresh) {
    for (const part of fresh.querySelectorAll("[data-replace]")) {
      const old = document.getElementById(part.id)
      if (old && old.outerHTML !== part.outerHTML) old.replaceWith(document.adoptNode(part))
    }
    const list = fresh.getElementById("inbox")
    if (!list) return
    const [oldRows, newRows] = [this.querySelector("#inbox-rows"), list.querySelector("#inbox-rows")]
    for (const nav of ["inbox-tabs", "inbox-views"]) {
      const [old, next] = [this.querySelector(`.${nav}`), list.querySelector(`.${nav}`)]
      if (old && next && !old.contains(document.activeElement)) old.replaceWith(next)
    }
    if (!oldRows || !newRows) {
      if (oldRows && this.#isHeld) return
      this.#list.replaceWith(list)
      window.htmx?.process(list)
      return
    }
    this.#list.dataset.refresh = list.dataset.refresh
    this.#merge(oldRows, newRows)
  }

  // Rows of later pages stay; of the first page, who is no longer there goes.
  #merge(rows, fresh) {
    const next = [...fresh.querySelectorAll(":scope > .inbox__item")]
    const present = new Map([...rows.querySelectorAll(":scope > .inbox__item")].map((item) => [item.id, item]))
    const came = next.filter((item) => !present.has(item.id))
    const isHeld = this.#isHeld
    for (const item of next) {
      const old = present.get(item.id)
      if (old && old.dataset.digest !== item.dataset.digest) this.#renew(old, item)
    }
    const lasting = new Set(next.map((item) => item.id))
    const isWhole = !fresh.querySelector("#inbox-more")
    const end = next.length ? Number(next[next.length - 1].dataset.rank) : 0
    const gone = [...present.values()].filter((item) => !lasting.has(item.id) && (isWhole || Number(item.dataset.rank) > end))
    if (isHeld) {
      gone.forEach((item) => item.classList.add("inbox__item--leaving"))
      this.#say(came.length)
      return
    }
    gone.forEach((item) => item.remove())
    let at = rows.firstElementChild
    for (const item of next) {
      const here = document.getElementById(item.id) ?? window.document.adoptNode(item)
      if (here === at) at = at.nextElementSibling
      else {
        rows.insertBefore(here, at)
        window.htmx?.process(here)
      }
    }
    this.#say(0)
  }

  // In place: the node that has the focus, or is pointed at, stays the same one.
  #renew(old, item) {
    const [link, fresh] = [old.querySelector(".inbox__row"), item.querySelector(".inbox__row")]
    link.className = fresh.className
    link.replaceChildren(...fresh.childNodes)
    old.dataset.digest = item.dataset.digest
    old.dataset.rank = item.dataset.rank
    old.classList.remove("inbox__item--leaving")
  }

  #say(count) {
    const button = this.querySelector("[data-news]")
    if (!button) return
    button.hidden = count === 0
    const words = this.querySelector(`template[data-words=${count === 1 ? "news-one" : "news-many"}]`)
    button.textContent = words.content.textContent.replace("{count}", String(count))
  }

  #press = (event) => {
    if (!event.target.closest("[data-news]")) return
    event.target.blur()
    this.querySelector(".inbox-bulk").scrollTop = 0
    this.#list.dataset.refresh = this.#list.dataset.refresh.replace(/seen=[^&]*/, "seen=")
    this.#ask()
  }

  #settle = () => {
    if (!this.querySelector("[data-news]:not([hidden]), .inbox__item--leaving")) return
    setTimeout(() => {
      if (this.#isHeld || !this.isConnected) return
      this.#list.dataset.refresh = this.#list.dataset.refresh.replace(/seen=[^&]*/, "seen=")
      this.#changed()
    }, 600)
  }

  #arrow = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key]
    if (!step || event.altKey || event.ctrlKey || event.metaKey || !event.target.closest(".inbox__row")) return
    event.preventDefault()
    const links = [...this.querySelectorAll(".inbox__row")]
    links[links.indexOf(event.target.closest(".inbox__row")) + step]?.focus()
  }

  #typed = () => {
    clearTimeout(this.#typing)
    this.#typing = setTimeout(() => {
      const form = this.#search.form
      const query = new URLSearchParams(new FormData(form))
      const url = new URL(form.action)
      url.search = query
      if (!location.pathname.match(/\/\d+\/$/)) history.replaceState(history.state, "", url)
      this.#list.dataset.refresh = `${url}&seen=`
      this.#list.querySelector("#inbox-rows")?.replaceChildren()
      this.#ask()
    }, SEARCH_MS)
  }

  // A further page may bring rows that a refresh has brought before: the first of each stays. And the row of what is open now.
  #mark = () => {
    const known = new Set()
    for (const item of this.querySelectorAll("#inbox-rows > .inbox__item")) {
      if (known.has(item.id)) item.remove()
      known.add(item.id)
    }
    const open = document.getElementById("desk-thread")?.dataset.conversation
    for (const row of this.querySelectorAll(".inbox__row")) {
      if (open && row.id === `conversation-${open}-row`) {
        row.setAttribute("aria-current", "true")
        row.classList.remove("inbox__row--unread")
      } else row.removeAttribute("aria-current")
    }
    if (open) this.#list.dataset.refresh = this.#list.dataset.refresh.replace(/selected=[^&]*/, `selected=${open}`)
  }
}

customElements.define("live-list", LiveList)
