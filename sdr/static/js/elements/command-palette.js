// <command-palette url="…"> around its <dialog>: first what can be done here (data-command, data-shortcut), then places, then people, whom the server finds.
const WAIT_MS = 150

class CommandPalette extends HTMLElement {
  #timer
  #asked = 0

  connectedCallback() {
    document.addEventListener("click", this.#open)
    this.#input.addEventListener("input", this.#typed)
    this.#input.addEventListener("keydown", this.#key)
    this.#list.addEventListener("click", this.#chosen)
  }

  disconnectedCallback() {
    document.removeEventListener("click", this.#open)
    clearTimeout(this.#timer)
  }

  get #dialog() { return this.querySelector("dialog") }
  get #input() { return this.querySelector("input") }
  get #list() { return this.querySelector("[role=listbox]") }
  get #options() { return [...this.#list.querySelectorAll("[role=option]")] }

  #open = (event) => {
    if (!event.target.closest?.("[data-opens=palette]") || this.#dialog.open) return
    this.#input.value = ""
    this.#dialog.showModal()
    this.#fill([])
  }

  #typed = () => {
    clearTimeout(this.#timer)
    this.#fill([])
    const text = this.#input.value.trim()
    if (text.length > 1) this.#timer = setTimeout(() => this.#ask(text), WAIT_MS)
  }

  async #ask(text) {
    const ask = ++this.#asked
    try {
      const answer = await fetch(`${this.getAttribute("url")}?q=${encodeURIComponent(text)}`, { redirect: "manual" })
      if (!answer.ok || ask !== this.#asked) return
      const found = new DOMParser().parseFromString(await answer.text(), "text/html")
      this.#fill([...found.querySelectorAll("a")])
    } catch {
      // no network: actions and places still work
    }
  }

  #fill(people) {
    const text = fold(this.#input.value.trim())
    const actions = [...document.querySelectorAll("[data-command], [data-shortcut]:is(button, a)")]
      .filter((one) => one.getClientRects().length > 0 && !one.disabled && one.dataset.opens !== "palette")
    const places = [...this.querySelector("[data-places]").content.querySelectorAll("a")]
    const fits = (one) => fold(nameOf(one)).includes(text)
    const items = [...actions.filter(fits), ...places.filter(fits), ...people]
    this.#list.replaceChildren(...items.map((one, place) => option(one, place)))
    this.querySelector("[data-none]").hidden = items.length > 0
    this.#select(0)
  }

  #select(place) {
    const options = this.#options
    const at = (place + options.length) % (options.length || 1)
    options.forEach((one, index) => one.setAttribute("aria-selected", String(index === at)))
    if (options[at]) this.#input.setAttribute("aria-activedescendant", options[at].id)
    else this.#input.removeAttribute("aria-activedescendant")
    options[at]?.scrollIntoView({ block: "nearest" })
  }

  #key = (event) => {
    const at = this.#options.findIndex((one) => one.getAttribute("aria-selected") === "true")
    if (event.key === "ArrowDown") this.#select(at + 1)
    else if (event.key === "ArrowUp") this.#select(at - 1)
    else if (event.key === "Enter") this.#run(this.#options[at])
    else return
    event.preventDefault()
  }

  #chosen = (event) => this.#run(event.target.closest("[role=option]"))

  #run(chosen) {
    if (!chosen) return
    this.#dialog.close()
    if (chosen.source.isConnected) chosen.source.click()
    else location.assign(chosen.source.getAttribute("href"))
  }
}

function nameOf(one) {
  return one.dataset.command || one.dataset.shortcutLabel || one.textContent.trim()
}

function option(source, place) {
  const item = document.createElement("li")
  item.id = `palette-option-${place}`
  item.className = "palette__option"
  item.setAttribute("role", "option")
  item.source = source
  const label = document.createElement("span")
  label.textContent = nameOf(source).replace(/\s+/g, " ")
  item.append(label)
  if (source.dataset.shortcut) {
    const keys = document.createElement("kbd")
    keys.textContent = source.dataset.shortcut.replace("mod", "Ctrl").split("+").map((key) => key[0].toUpperCase() + key.slice(1)).join(" ")
    item.append(keys)
  }
  return item
}

function fold(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase()
}

customElements.define("command-palette", CommandPalette)
