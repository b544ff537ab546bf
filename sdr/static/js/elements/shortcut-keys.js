// <shortcut-keys>: any control with data-shortcut="alt+e" (mod is Ctrl or ⌘) is pressed, or a field focused, by that key, while it can be seen. "?" shows them all.
// Keys are told by their place (event.code) where Alt would make another letter of them, so that they work on ABNT2 and on a Mac.
const WALK = { "alt+j": 1, "alt+k": -1 }
const LETTER = /^Key([A-Z])$/

class ShortcutKeys extends HTMLElement {
  connectedCallback() {
    document.addEventListener("keydown", this.#key)
  }

  disconnectedCallback() {
    document.removeEventListener("keydown", this.#key)
  }

  #key = (event) => {
    const keys = keysOf(event)
    if (!keys || event.defaultPrevented || event.isComposing) return
    const isTyping = event.target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]")
    if (isTyping && !keys.startsWith("alt+") && !keys.startsWith("mod+")) return
    if (isTyping && keys === "mod+z") return
    if (this.#own(keys)) {
      event.preventDefault()
      return
    }
    const control = [...document.querySelectorAll(`[data-shortcut="${CSS.escape(keys)}"]`)].find(isSeen)
    if (!control) return
    event.preventDefault()
    if (control.matches("input, textarea, select")) {
      control.focus()
      control.select?.()
    } else control.click()
  }

  #own(keys) {
    if (keys === "?") return this.#sheet()
    if (keys === "alt+o") return this.#panel()
    if (keys === "alt+n") return press(document.querySelector(".inbox-tabs__tab[aria-current] ~ .inbox-tabs__tab") ?? document.querySelector(".inbox-tabs__tab"))
    if (keys === "alt+c") return press(document.querySelector(".nav__link[href$='/inbox/']"))
    if (keys === "alt+s") return press(document.querySelector(".nav__link[href$='/settings/']"))
    if (keys in WALK) return this.#walk(WALK[keys])
    return false
  }

  #walk(step) {
    const rows = [...document.querySelectorAll(".inbox__row")]
    const at = rows.findIndex((row) => row.hasAttribute("aria-current"))
    const next = rows[at < 0 ? (step > 0 ? 0 : -1) : at + step]
    if (!next) return false
    next.scrollIntoView({ block: "nearest" })
    next.click()
    return true
  }

  #panel() {
    const panel = document.getElementById("desk-panel")
    if (!panel || panel.hidden) return false
    const shown = getComputedStyle(panel).display !== "none"
    document.documentElement.dataset.panel = shown ? "closed" : "open"
    try {
      localStorage.setItem("panel", shown ? "closed" : "open")
    } catch {
      // a browser that keeps nothing: the choice holds for this page
    }
    return true
  }

  #sheet() {
    const sheet = document.getElementById("keys")
    if (!sheet || document.querySelector("dialog[open]")) return false
    const always = [...sheet.querySelector("[data-always]").content.querySelectorAll("[data-shortcut]")]
    const here = [...document.querySelectorAll("[data-shortcut]")].filter((one) => one.dataset.shortcutLabel ?? one.textContent.trim())
    const known = new Map()
    for (const one of [...always, ...here]) {
      if (!known.has(one.dataset.shortcut)) known.set(one.dataset.shortcut, one.dataset.shortcutLabel ?? one.textContent.trim())
    }
    sheet.querySelector("[data-keys]").replaceChildren(...[...known].map(([keys, label]) => line(keys, label)))
    sheet.showModal()
    return true
  }
}

function keysOf(event) {
  const letter = LETTER.exec(event.code)?.[1]?.toLowerCase() ?? event.key?.toLowerCase()
  const isMod = event.ctrlKey || event.metaKey
  if (event.altKey && isMod) return `mod+alt+${letter}`
  if (event.altKey) return `alt+${letter}`
  if (isMod) return `mod+${letter}`
  return event.key
}

function isSeen(control) {
  return !control.disabled && control.getClientRects().length > 0
}

function press(link) {
  link?.click()
  return Boolean(link)
}

function line(keys, label) {
  const [row, term, about] = ["div", "dt", "dd"].map((name) => document.createElement(name))
  const isMac = /Mac|iPhone|iPad/.test(navigator.platform)
  term.textContent = label
  for (const key of keys.split("+")) {
    const cap = document.createElement("kbd")
    cap.textContent = key === "mod" ? (isMac ? "⌘" : "Ctrl") : key.length > 1 ? key[0].toUpperCase() + key.slice(1) : key.toUpperCase()
    about.append(cap, " ")
  }
  row.append(term, about)
  return row
}

customElements.define("shortcut-keys", ShortcutKeys)
