// <text-choices data-sign="/" url="…"> around a <textarea>: the sign at the beginning of a word opens a list of choices, which further letters narrow.
// The choices are <li role="option" data-text="what is put in">, fetched once; [data-none] is shown where there are none at all. ↑ ↓ choose, Enter or Tab puts in, Esc closes.
import { UNFILLED, insert } from "lib/typing"

const SHOWN = 8

class TextChoices extends HTMLElement {
  #all
  #list
  #said
  #none
  #at = -1 // where the sign stands
  #left = -1 // where one stands that was meant as such

  connectedCallback() {
    const id = `${this.#field.id}-choices`
    this.#list ??= Object.assign(document.createElement("ul"), { className: "choices", id, role: "listbox", hidden: true })
    this.#said ??= Object.assign(document.createElement("p"), { className: "for-screen-reader", role: "status" })
    this.#list.setAttribute("aria-label", this.dataset.label)
    this.#none ??= this.querySelector("[data-none]")
    this.append(this.#list, this.#said)
    this.#field.setAttribute("aria-autocomplete", "list")
    this.#field.setAttribute("aria-haspopup", "listbox")
    this.#field.setAttribute("aria-controls", id)
    this.#field.setAttribute("autocomplete", "off")
    this.addEventListener("input", this.#look)
    this.addEventListener("keydown", this.#key)
    this.addEventListener("focusout", this.#away)
    this.#list.addEventListener("mousedown", this.#press)
    this.#button?.addEventListener("click", this.#open)
  }

  disconnectedCallback() {
    this.#button?.removeEventListener("click", this.#open)
  }

  get #field() { return this.querySelector("textarea") }
  get #button() { return this.closest("form").querySelector("[data-choices]") }
  get #options() { return [...this.#list.querySelectorAll("[role=option]")] }
  get #chosen() { return this.#list.querySelector("[aria-selected=true]") }

  #open = (event) => {
    event.preventDefault()
    const before = this.#field.value.slice(0, this.#field.selectionStart)
    this.#left = -1
    insert(this.#field, (before && !/\s$/.test(before) ? " " : "") + this.dataset.sign)
  }

  #look = async () => {
    const caret = this.#field.selectionStart
    const before = this.#field.value.slice(0, caret)
    const at = before.lastIndexOf(this.dataset.sign)
    const word = before.slice(at + 1)
    const begins = at >= 0 && (at === 0 || /\s/.test(before[at - 1])) && word.length <= 60 && !/\n/.test(word) && (this.dataset.sign === "@" || !/\s/.test(word))
    if (!begins) this.#left = -1
    if (!begins || at === this.#left) return this.#close()
    this.#at = at
    await this.#fetch()
    if (this.#at === at && document.activeElement === this.#field) this.#show(fold(word))
  }

  async #fetch() {
    if (this.#all) return
    try {
      const answer = await fetch(this.getAttribute("url"), { headers: { "HX-Request": "true" }, redirect: "manual" })
      if (!answer.ok) return
      const found = new DOMParser().parseFromString(`<ul>${await answer.text()}</ul>`, "text/html")
      this.#all = [...found.querySelectorAll("[role=option]")]
    } catch {
      // no network: the sign is a sign
    }
  }

  #show(word) {
    if (!this.#all) return this.#close()
    const fits = (one) => fold(one.querySelector(".choices__name").textContent.replace(/^\//, "")).includes(word)
    const shown = this.#all.filter(fits).slice(0, SHOWN)
    if (!shown.length && word) {
      this.#said.textContent = this.dataset.none
      return this.#close()
    }
    if (this.#none) this.#none.hidden = shown.length > 0
    this.#list.replaceChildren(...shown.map((one, place) => Object.assign(document.importNode(one, true), { id: `${this.#list.id}-${place}` })))
    this.#list.hidden = !shown.length
    this.#said.textContent = shown.length ? `${this.dataset.label}: ${shown.length}` : this.dataset.none
    this.#select(0)
  }

  #select(place) {
    const options = this.#options
    options.forEach((one, at) => one.setAttribute("aria-selected", String(at === place)))
    if (!options[place]) return
    this.#field.setAttribute("aria-activedescendant", options[place].id)
    options[place].scrollIntoView({ block: "nearest" })
  }

  #key = (event) => {
    if (this.#list.hidden || event.isComposing) return
    const options = this.#options
    const at = options.indexOf(this.#chosen)
    if (event.key === "ArrowDown") this.#select((at + 1) % options.length)
    else if (event.key === "ArrowUp") this.#select((at - 1 + options.length) % options.length)
    else if ((event.key === "Enter" && !event.shiftKey) || event.key === "Tab") this.#put(this.#chosen)
    else if (event.key === "Escape") this.#leave()
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  #leave() {
    this.#left = this.#at
    this.#close()
  }

  #press = (event) => {
    const option = event.target.closest("[role=option]")
    event.preventDefault() // the field keeps the focus
    if (option) this.#put(option)
  }

  #put(option) {
    const start = this.#at
    const text = option.dataset.text
    this.#close()
    insert(this.#field, text, start, this.#field.selectionStart)
    this.#close()
    const [first] = [...text.matchAll(UNFILLED)]
    if (first) this.#field.setSelectionRange(start + first.index, start + first.index + first[0].length)
  }

  #away = (event) => {
    if (!this.contains(event.relatedTarget)) this.#close()
  }

  #close() {
    this.#at = -1
    if (this.#none) this.#none.hidden = true
    if (this.#list.hidden) return
    this.#list.hidden = true
    this.#field.removeAttribute("aria-activedescendant")
  }
}

function fold(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().trim()
}

customElements.define("text-choices", TextChoices)
