// <shortcut-keys>: any control with data-shortcut="alt+e" (mod is Ctrl or ⌘) is pressed, or a field focused, by that key, while it can be seen. "?" shows those that work here and now.
// Keys are told by their place (event.code) where Alt would make another letter of them, so that they work on ABNT2 and on a Mac.
const LETTER = /^Key([A-Z])$/
const IS_MAC = /Mac|iPhone|iPad/.test(navigator.platform) // where Option and a letter type á, ç and ñ
const NOT_WHILE_TYPING = new Set(["alt+x", "alt+q", "alt+w"]) // too much for a slip
const NARROW_PX = 1280 // below it the lead's panel is a drawer

// Keys without a control of their own: what they press, if it is there. Named in layouts/_keys.html.
const OWN = {
  "?": () => document.getElementById("keys"),
  "alt+j": () => rowFrom(1),
  "alt+k": () => rowFrom(-1),
  "mod+alt+e": () => seen("#close-done"),
  "alt+n": () => document.querySelector(".inbox-tabs__tab[aria-current] ~ .inbox-tabs__tab") ?? document.querySelector(".inbox-tabs__tab"),
  "alt+o": () => document.querySelector("#desk-panel:not([hidden])"),
  "alt+c": () => document.querySelector(".nav__link[href$='/inbox/']"),
  "alt+s": () => document.querySelector(".nav__link[href$='/settings/']"),
  // In a menu that is closed: pressed all the same.
  "alt+x": () => document.getElementById("leave-spam"),
  "alt+q": () => document.getElementById("leave-job"),
  "alt+w": () => document.getElementById("leave-wrong"),
  "Escape": () => document.querySelector("#desk-thread details[open], .desk__list details[open]") ?? drawer(),
}

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
    if (isTyping && keys !== "Escape" && !keys.startsWith("alt+") && !keys.startsWith("mod+")) return
    if (isTyping && keys.startsWith("alt+") && (IS_MAC || NOT_WHILE_TYPING.has(keys))) return
    if (isTyping && (keys === "mod+z" || (keys.startsWith("mod+alt+") && event.getModifierState("AltGraph")))) return
    if (document.querySelector("dialog[open]") && keys !== "mod+k") return
    const own = OWN[keys]?.()
    if (own) {
      event.preventDefault()
      this.#run(keys, own)
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

  #run(keys, own) {
    switch (keys) {
      case "?":
        return this.#sheet(own)
      case "alt+o":
        return this.#panel(own)
      case "alt+j":
      case "alt+k":
        own.scrollIntoView({ block: "nearest" })
        return own.click()
      case "mod+alt+e":
        return this.#closeAndGoOn(own)
      case "Escape":
        return this.#close(own)
      default:
        own.click()
    }
  }

  // The next one is opened once the answer to the first request is there: they use the same region.
  #closeAndGoOn(button) {
    const next = rowFrom(1) ?? rowFrom(-1)
    if (next) document.addEventListener("htmx:afterSettle", () => next.isConnected && next.click(), { once: true })
    button.click()
  }

  #close(own) {
    if (own.id === "desk-panel") {
      this.#panel(own)
      return
    }
    own.open = false
    own.querySelector("summary")?.focus()
  }

  #panel(panel) {
    const shown = getComputedStyle(panel).display !== "none"
    document.documentElement.dataset.panel = shown ? "closed" : "open"
    try {
      localStorage.setItem("panel", shown ? "closed" : "open")
    } catch {
      // a browser that keeps nothing: the choice holds for this page
    }
  }

  #sheet(sheet) {
    const own = [...sheet.querySelector("[data-own]").content.querySelectorAll("[data-shortcut]")].filter((one) => OWN[one.dataset.shortcut]?.() || one.dataset.shortcut === "Escape")
    const here = [...document.querySelectorAll("[data-shortcut]")].filter((one) => isSeen(one) && nameOf(one))
    const known = new Map()
    for (const one of [...here, ...own]) if (!known.has(one.dataset.shortcut)) known.set(one.dataset.shortcut, nameOf(one))
    sheet.querySelector("[data-keys]").replaceChildren(...[...known].map(([keys, label]) => line(keys, label)))
    sheet.showModal()
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

function rowFrom(step) {
  const rows = [...document.querySelectorAll(".inbox__row")]
  const at = rows.findIndex((row) => row.hasAttribute("aria-current"))
  return rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step]
}

function drawer() {
  const panel = innerWidth < NARROW_PX && document.querySelector("#desk-panel:not([hidden])")
  return panel && getComputedStyle(panel).display !== "none" ? panel : undefined
}

function seen(selector) {
  const control = document.querySelector(selector)
  return control && isSeen(control) ? control : undefined
}

function isSeen(control) {
  return !control.disabled && control.getClientRects().length > 0
}

function nameOf(one) {
  return one.dataset.shortcutLabel ?? one.textContent.trim()
}

function line(keys, label) {
  const [row, term, about] = ["div", "dt", "dd"].map((name) => document.createElement(name))
  term.textContent = label
  for (const key of keys.split("+")) {
    const cap = document.createElement("kbd")
    cap.textContent = key === "mod" ? (IS_MAC ? "⌘" : "Ctrl") : key === "Escape" ? "Esc" : key.length > 1 ? key[0].toUpperCase() + key.slice(1) : key.toUpperCase()
    about.append(cap, " ")
  }
  row.append(term, about)
  return row
}

customElements.define("shortcut-keys", ShortcutKeys)
