// <draft-keeper data-name="…"> around a form: what is typed is kept in this browser, over errors, reloads and sign-out, until the server has taken it.
// The form's key is kept with it: what was stored although its answer got lost is not stored twice.
const PREFIX = "draft:"
const KEPT_MS = 14 * 24 * 3600 * 1000
const memory = new Map() // where the browser keeps nothing
const sent = new Map() // name → the words that are on their way

class DraftKeeper extends HTMLElement {
  connectedCallback() {
    if (!this.#text) return
    this.#settle()
    this.addEventListener("input", this.#keep)
    this.addEventListener("htmx:beforeRequest", this.#leave)
    window.addEventListener("storage", this.#elsewhere)
    forgetOld()
  }

  disconnectedCallback() {
    window.removeEventListener("storage", this.#elsewhere)
    if (this.#file?.files.length && !this.#others.length) files.set(this.#name, this.#file.files)
  }

  get #name() { return PREFIX + this.dataset.name }
  get #text() { return this.querySelector("textarea") }
  get #key() { return this.querySelector("input[name=key]") }
  get #file() { return this.querySelector("input[type=file]") }
  // The one this takes the place of: htmx puts the new in before it takes the old away.
  get #others() { return [...document.querySelectorAll("draft-keeper")].filter((one) => one !== this && one.dataset.name === this.dataset.name) }

  #settle() {
    const served = this.#text.value
    const left = sent.get(this.#name)
    sent.delete(this.#name)
    const hasTrouble = Boolean(this.querySelector(".field__errors"))
    if (left !== undefined) this.#put(behind(served, left, memory.get(this.#name)?.text ?? ""))
    else if (!served.trim()) this.#bringBack()
    if (left === undefined || hasTrouble) this.#giveFiles()
    this.#keep()
  }

  #bringBack() {
    const kept = read(this.#name)
    if (!kept?.text) return
    this.#put(kept.text)
    if (kept.key && this.#key) this.#key.value = kept.key
  }

  #put(text) {
    if (this.#text.value === text) return
    this.#text.value = text
    this.#text.setSelectionRange(text.length, text.length)
    this.#text.dispatchEvent(new CustomEvent("draft:restored", { bubbles: true }))
  }

  #keep = () => {
    write(this.#name, this.#text.value.trim() ? { text: this.#text.value, key: this.#key?.value, at: Date.now() } : null)
  }

  #leave = (event) => {
    if (event.target.contains(this.#text)) sent.set(this.#name, this.#text.value)
  }

  // Another tab wrote: only an empty field follows.
  #elsewhere = (event) => {
    if (event.key === this.#name && document.activeElement !== this.#text && !this.#text.value.trim()) this.#bringBack()
  }

  // A form that comes back with errors has lost its file; the page still has it.
  #giveFiles() {
    const given = this.#others[0]?.querySelector("input[type=file]")?.files ?? files.get(this.#name)
    files.delete(this.#name)
    if (!given?.length || !this.#file || document.getElementById(`${this.#file.id}_error`)) return
    this.#file.files = given
    customElements.whenDefined("file-choice").then(() => this.#file?.dispatchEvent(new Event("change", { bubbles: true })))
  }
}

// What belongs into the field that the server made anew. `left`: the words it answers, `typed`: what stood there last.
function behind(served, left, typed) {
  if (!typed.startsWith(left)) return typed || served
  const since = typed.slice(left.length)
  return served.trim() === left.trim() ? typed : (served + since).replace(/^\s*\n/, "")
}

const files = new Map() // name → what was chosen

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? memory.get(name)
  } catch {
    return memory.get(name)
  }
}

function write(name, draft) {
  if (draft) memory.set(name, draft)
  else memory.delete(name)
  try {
    if (draft) localStorage.setItem(name, JSON.stringify(draft))
    else localStorage.removeItem(name)
  } catch {
    // a browser that keeps nothing: the draft lives as long as the page
  }
}

function forgetOld() {
  try {
    for (const name of Object.keys(localStorage)) {
      if (name.startsWith(PREFIX) && !(read(name)?.at > Date.now() - KEPT_MS)) localStorage.removeItem(name)
    }
  } catch {
    // nothing is kept
  }
}

customElements.define("draft-keeper", DraftKeeper)
